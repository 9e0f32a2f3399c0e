import Foundation

/// A file that is written beside its target and takes the target's place only when it is complete and on the disk.
///
/// Whoever reads the target, during the writing or after a crash, finds the old file or the new one, whole.
final class AtomicFile {
  private let target: String
  private var temporary: String
  private var descriptor: CInt = -1

  /// - Parameter path: the target. If it is a symbolic link, the file that it leads to is replaced.
  init(replacing path: String) throws(CheckpointError) {
    target = Self.resolved(path)
    temporary = ""
    Self.removeLeftovers(of: target)
    repeat {
      temporary = Self.temporaryPrefix(target) + String(UInt64.random(in: .min ... .max), radix: 16) + Self.suffix
      descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      if descriptor < 0 && errno != EEXIST { throw FileSource.systemError("cannot be created", temporary) }
      // The lock tells others that the file has a living writer. Between open and lock one may have removed it.
      if descriptor >= 0 && !(flock(descriptor, LOCK_EX | LOCK_NB) == 0 && isLinked) {
        close(descriptor)
        descriptor = -1
      }
    } while descriptor < 0
    var status = stat()
    if stat(target, &status) == 0 { fchmod(descriptor, status.st_mode & 0o7777) }
  }

  deinit {
    if descriptor >= 0 {
      unlink(temporary)
      close(descriptor)
    }
  }

  func append(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
    var done = 0
    while done < bytes.count {
      let count = write(descriptor, bytes.baseAddress! + done, min(bytes.count - done, 1 << 24))
      if count < 0 && errno == EINTR { continue }
      if count < 0 { throw FileSource.systemError("cannot be written", temporary) }
      done += count
    }
  }

  /// Makes the file the target.
  func commit() throws(CheckpointError) {
    guard Self.synchronise(descriptor) else { throw FileSource.systemError("cannot be synchronised", temporary) }
    let directory = open(Self.directory(of: target), O_RDONLY | O_CLOEXEC)
    guard directory >= 0 else { throw FileSource.systemError("its folder cannot be opened", target) }
    defer { close(directory) }
    guard rename(temporary, target) == 0 else { throw FileSource.systemError("cannot be replaced", target) }
    close(descriptor)
    descriptor = -1
    // Without this a power failure may bring the old file back. Some file systems cannot do it and say EINVAL.
    if fsync(directory) != 0 && errno != EINVAL {
      throw FileSource.systemError("is new, but its folder cannot be synchronised", target)
    }
  }

  private static func synchronise(_ descriptor: CInt) -> Bool {
    #if canImport(Darwin)
    // Here fsync does not empty the drive's own cache.
    if fcntl(descriptor, F_FULLFSYNC) == 0 { return true }
    #endif
    return fsync(descriptor) == 0
  }

  private var isLinked: Bool {
    var status = stat()
    return fstat(descriptor, &status) == 0 && status.st_nlink > 0
  }

  // MARK: - Names

  private static let suffix = ".saving"

  private static func resolved(_ path: String) -> String {
    guard let resolved = realpath(path, nil) else { return path }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  private static func split(_ path: String) -> (directory: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return ("", path) }
    return (String(path[...slash]), String(path[path.index(after: slash)...]))
  }

  private static func directory(of path: String) -> String {
    let directory = split(path).directory
    return directory.isEmpty ? "." : directory
  }

  private static func temporaryPrefix(_ target: String) -> String {
    let (directory, name) = split(target)
    return "\(directory).\(name)."
  }

  /// Removes the temporary files that killed writers of this target have left: those that nobody holds locked.
  private static func removeLeftovers(of target: String) {
    let prefix = temporaryPrefix(target)
    let directory = directory(of: target)
    let name = split(prefix).name
    guard let files = try? FileManager.default.contentsOfDirectory(atPath: directory) else { return }
    for file in files where file.hasPrefix(name) && file.hasSuffix(suffix) {
      guard UInt64(file.dropFirst(name.count).dropLast(suffix.count), radix: 16) != nil else { continue }
      let path = split(prefix).directory + file
      let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
      guard descriptor >= 0 else { continue }
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { unlink(path) }
      close(descriptor)
    }
  }
}
