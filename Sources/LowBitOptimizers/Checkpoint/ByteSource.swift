import Foundation

/// Bytes at known places: a file, or memory.
protocol ByteSource {
  var path: String { get }
  var byteCount: Int { get }
  /// Fills the buffer with the bytes from `offset`, or throws.
  func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(CheckpointError)
}

/// A file that is read by position into memory that the reader owns.
///
/// It is not mapped: a file that another process truncates would kill the reader of a mapping, where a read comes back
/// short; and the pages of a mapping would count as memory on top of the state.
final class FileSource: ByteSource {
  let path: String
  let byteCount: Int
  private let descriptor: CInt

  init(_ path: String) throws(CheckpointError) {
    self.path = path
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    if descriptor < 0 { throw Self.systemError("cannot be opened", path) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let error = Self.systemError("cannot be examined", path)
      close(descriptor)
      throw error
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw CheckpointError(.fileAccess, "file", "is not a regular file", path: path)
    }
    byteCount = Int(status.st_size)
  }

  deinit { close(descriptor) }

  func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(CheckpointError) {
    var done = 0
    while done < buffer.count {
      let count = pread(
        descriptor, buffer.baseAddress! + done, min(buffer.count - done, 1 << 28), off_t(offset + done))
      if count < 0 && errno == EINTR { continue }
      if count < 0 { throw Self.systemError("cannot be read", path, place: "byte \(offset + done)") }
      if count == 0 {
        throw CheckpointError(
          .fileAccess, "byte \(offset + done)", "the file has become shorter than \(byteCount) bytes", path: path)
      }
      done += count
    }
  }

  static func systemError(_ problem: String, _ path: String, place: String = "file") -> CheckpointError {
    CheckpointError(.fileAccess, place, "\(problem): \(String(cString: strerror(errno)))", path: path)
  }
}

/// Bytes of the caller, who keeps them alive.
struct MemorySource: ByteSource {
  let path = "memory"
  let bytes: UnsafeRawBufferPointer

  var byteCount: Int { bytes.count }

  func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(CheckpointError) {
    guard offset >= 0, buffer.count <= bytes.count, offset <= bytes.count - buffer.count else {
      throw CheckpointError(.fileAccess, "byte \(offset)", "the file has only \(bytes.count) bytes")
    }
    buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + buffer.count]))
  }
}

extension URL {
  /// The path of a file on this machine.
  func localPath() throws(CheckpointError) -> String {
    guard isFileURL else { throw CheckpointError(.fileAccess, "file", "is not on this machine", path: "\(self)") }
    return path
  }
}
