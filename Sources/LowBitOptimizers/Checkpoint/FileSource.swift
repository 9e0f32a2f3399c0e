import Foundation

/// A file that is mapped as long as this object lives.
///
/// Another process can shorten the file meanwhile, and touching a page that is gone would end the program. So it is the
/// kernel that copies from the mapping: its copy fails there, which is an error like any other.
final class FileSource: ByteSource {
  let path: String
  let byteCount: Int
  private let file: Descriptor
  /// Nil for an empty file, which cannot be mapped.
  private let mapping: UnsafeMutableRawPointer?
  private let copier: KernelCopier

  init(_ path: String) throws(CheckpointError) {
    self.path = path
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    file = Descriptor(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK))
    if file.number < 0 { throw Self.systemError("cannot be opened", path) }
    var status = stat()
    guard fstat(file.number, &status) == 0 else { throw Self.systemError("cannot be examined", path) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw CheckpointError(.fileAccess, "file", "is not a regular file", path: path)
    }
    guard let copier = KernelCopier() else { throw Self.systemError("cannot be read", path) }
    self.copier = copier
    byteCount = Int(status.st_size)
    let mapping = byteCount == 0 ? nil : mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, file.number, 0)
    if mapping == MAP_FAILED { throw Self.systemError("cannot be mapped", path) }
    self.mapping = mapping
  }

  deinit {
    if let mapping { munmap(mapping, byteCount) }
  }

  func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(CheckpointError) {
    try checkRange(offset, buffer.count)
    var done = 0
    while done < buffer.count {
      let end = min(done + Self.windowByteCount, buffer.count)
      let window = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<end])
      let isCopied = copier.copy(mapping! + offset + done, to: window)
      let problem = errno
      // Behind the file's end, but on its last page, the copy succeeds and is zeros.
      guard currentByteCount() >= offset + end else {
        throw CheckpointError(
          .fileAccess, "byte \(offset + done)", "the file has become shorter than \(byteCount) bytes", path: path)
      }
      errno = problem
      guard isCopied else { throw Self.systemError("cannot be read", path, place: "byte \(offset + done)") }
      giveBack(offset + done..<offset + end)
      done = end
    }
  }

  private func currentByteCount() -> Int {
    var status = stat()
    return fstat(file.number, &status) == 0 ? Int(status.st_size) : 0
  }

  /// Copied before the next pages are touched.
  private static let windowByteCount = 1 << 22

  /// Pages that have been copied would count as memory on top of the state.
  private func giveBack(_ range: Range<Int>) {
    let pageByteCount = Int(sysconf(CInt(_SC_PAGESIZE)))
    let start = range.lowerBound / pageByteCount * pageByteCount
    madvise(mapping! + start, range.upperBound - start, MADV_DONTNEED)
  }

  static func systemError(_ problem: String, _ path: String, place: String = "file") -> CheckpointError {
    CheckpointError(.fileAccess, place, "\(problem): \(String(cString: strerror(errno)))", path: path)
  }
}

/// A file descriptor that is closed with this object.
private final class Descriptor {
  let number: CInt

  init(_ number: CInt) { self.number = number }

  deinit { if number >= 0 { close(number) } }
}

/// Has the kernel copy memory that may not be there, through a pipe.
private final class KernelCopier {
  private let output, input: Descriptor

  /// Nil, with the reason in errno, if the process has too many open files.
  init?() {
    var ends: [CInt] = [-1, -1]
    guard pipe(&ends) == 0 else { return nil }
    (output, input) = (Descriptor(ends[0]), Descriptor(ends[1]))
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    // A full pipe must take what fits, not wait for a reader.
    _ = fcntl(input.number, F_SETFL, O_NONBLOCK)
  }

  /// Returns false, with the reason in errno, if not all bytes could be copied.
  func copy(_ source: UnsafeRawPointer, to target: UnsafeMutableRawBufferPointer) -> Bool {
    var done = 0
    while done < target.count {
      let end = done + write(input.number, source + done, target.count - done)
      if end < done {
        if errno == EINTR { continue }
        return false
      }
      while done < end {
        let count = read(output.number, target.baseAddress! + done, end - done)
        if count > 0 { done += count } else if errno != EINTR { return false }
      }
    }
    return true
  }
}
