import Foundation

/// The finished runs of a study, a small file each, so that an interrupted study goes on where it stopped.
struct StudyFolder: Sendable {
  let url: URL

  enum Problem: Error, Equatable, CustomStringConvertible {
    case notWritable(String)

    var description: String {
      switch self {
      case .notWritable(let path): "\(path) cannot be written."
      }
    }
  }

  /// A finished run, and what it was a run of.
  private struct Record: Codable {
    let setting: String
    let outcome: RunOutcome
  }

  /// Creates the folder if it is not there.
  init(path: String) throws(Problem) {
    url = URL(fileURLWithPath: path, isDirectory: true)
    do { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) } catch {
      throw .notWritable(path)
    }
    guard FileManager.default.isWritableFile(atPath: url.path) else { throw .notWritable(path) }
  }

  /// The outcome of a run; nil if it has not finished, or was one with another setting.
  func outcome(of job: StudyJob) -> RunOutcome? {
    guard let data = try? Data(contentsOf: file(job)), let record = try? Self.decoder.decode(Record.self, from: data),
      record.setting == job.setting
    else { return nil }
    return record.outcome
  }

  /// The file is there whole or not at all.
  func save(_ outcome: RunOutcome, of job: StudyJob) throws(Problem) {
    do {
      let record = Record(setting: job.setting, outcome: outcome)
      try Self.encoder.encode(record).write(to: file(job), options: .atomic)
    } catch { throw .notWritable(file(job).path) }
  }

  /// Writes a report next to the runs, and returns where.
  func write(_ data: Data, name: String) throws(Problem) -> String {
    let file = url.appendingPathComponent(name)
    do { try data.write(to: file, options: .atomic) } catch { throw .notWritable(file.path) }
    return file.path
  }

  private func file(_ job: StudyJob) -> URL { url.appendingPathComponent("\(job.name).json") }

  private static var encoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "infinity", negativeInfinity: "-infinity", nan: "nan")
    return encoder
  }

  private static var decoder: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "infinity", negativeInfinity: "-infinity", nan: "nan")
    return decoder
  }
}
