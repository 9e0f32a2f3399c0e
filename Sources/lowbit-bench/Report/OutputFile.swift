import Foundation

/// A result file, opened early, so that a wrong path does not cost a minute, and written late.
struct OutputFile {
  let path: String

  /// The exit status for a file that cannot be written, as sysexits.h has it.
  static let failureStatus: Int32 = 73

  struct Problem: Error, CustomStringConvertible {
    let path: String
    var description: String { "\(path) cannot be written" }
  }

  init(_ path: String) throws(Problem) {
    self.path = path
    guard let file = fopen(path, "a") else { throw Problem(path: path) }
    fclose(file)
  }

  func write(_ data: Data) throws(Problem) {
    do { try data.write(to: URL(fileURLWithPath: path)) } catch { throw Problem(path: path) }
  }
}
