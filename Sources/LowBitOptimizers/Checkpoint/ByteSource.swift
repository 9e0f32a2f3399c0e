import Foundation

/// Bytes at known places: a file, or memory.
protocol ByteSource {
  var path: String { get }
  var byteCount: Int { get }
  /// Fills the buffer with the bytes from `offset`, or throws.
  func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(CheckpointError)
}

extension ByteSource {
  func checkRange(_ offset: Int, _ count: Int) throws(CheckpointError) {
    guard offset >= 0, count <= byteCount, offset <= byteCount - count else {
      throw CheckpointError(.fileAccess, "byte \(offset)", "the file has only \(byteCount) bytes", path: path)
    }
  }
}

/// Bytes of the caller, who keeps them alive.
struct MemorySource: ByteSource {
  let path = "memory"
  let bytes: UnsafeRawBufferPointer

  var byteCount: Int { bytes.count }

  func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(CheckpointError) {
    try checkRange(offset, buffer.count)
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
