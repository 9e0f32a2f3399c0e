import Foundation

/// A result file, opened early, so that a wrong path does not cost a minute, and written late.
public struct OutputFile {
  private let path: String

  public struct Problem: Error, Equatable, CustomStringConvertible {
    let path: String
    public var description: String { "\(path) cannot be written." }
  }

  public init(_ path: String) throws(Problem) {
    self.path = path
    guard let file = fopen(path, "a") else { throw Problem(path: path) }
    fclose(file)
  }

  public func write(_ data: Data) throws(Problem) {
    do { try data.write(to: URL(fileURLWithPath: path)) } catch { throw Problem(path: path) }
  }

  public func write(_ text: String) throws(Problem) { try write(Data(text.utf8)) }
}

/// Rows of results for scripts: an array with one object for each.
public func resultJSON(_ rows: [some Encodable]) throws -> Data {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
  // JSON has no such numbers, and a run that went wrong should still leave a file.
  encoder.nonConformingFloatEncodingStrategy = .convertToString(
    positiveInfinity: "infinity", negativeInfinity: "-infinity", nan: "nan")
  return try encoder.encode(rows)
}
