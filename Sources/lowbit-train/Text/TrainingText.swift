import Foundation

/// A text as numbers: nine tenths to learn from, the last tenth to check with.
struct TrainingText: Sendable {
  let title: String
  let vocabulary: Vocabulary
  let training: [Int32]
  let validation: [Int32]

  init(_ text: String, title: String) {
    self.title = title
    vocabulary = Vocabulary(of: text)
    let symbols = vocabulary.encode(text)
    let border = symbols.count - symbols.count / 10
    training = Array(symbols[..<border])
    validation = Array(symbols[border...])
  }

  /// Symbols that the vocabulary has numbered already.
  init(title: String, vocabulary: Vocabulary, training: [Int32], validation: [Int32]) {
    self.title = title
    self.vocabulary = vocabulary
    self.training = training
    self.validation = validation
  }

  var count: Int { training.count + validation.count }

  /// Whether both parts hold at least one window of `context` characters and the one that follows.
  func isLongEnough(context: Int) -> Bool { min(training.count, validation.count) > context }
}

extension TrainingText {
  enum Problem: Error, Equatable, CustomStringConvertible {
    case unreadable(String)
    case noPackage
    case tooShort(String, count: Int, needed: Int)

    var description: String {
      switch self {
      case .unreadable(let path):
        return "\(path) cannot be read as UTF-8 text."
      case .noPackage:
        return "the package's sources are no longer where this program was built from; name a text with --text FILE."
      case .tooShort(let title, let count, let needed):
        return "\(title) has \(count) characters; at least \(needed) are needed to train and check a model."
      }
    }
  }

  /// The text at `path`, or the package's own sources when there is none, checked to be long enough.
  static func load(path: String?, context: Int) throws(Problem) -> TrainingText {
    let text = if let path { try file(path) } else { try ownSources() }
    let needed = 10 * (context + 1)
    guard text.count >= needed, text.isLongEnough(context: context) else {
      throw .tooShort(text.title, count: text.count, needed: needed)
    }
    return text
  }

  private static func file(_ path: String) throws(Problem) -> TrainingText {
    guard let text = contents(URL(fileURLWithPath: path)) else { throw .unreadable(path) }
    return TrainingText(text, title: URL(fileURLWithPath: path).lastPathComponent)
  }

  /// The Swift files and the README of the package that this file belongs to, so that a fresh clone needs no download.
  static func ownSources(of file: String = #filePath) throws(Problem) -> TrainingText {
    guard let root = packageFolder(above: file) else { throw .noPackage }
    let paths = ["Sources", "Tests"].flatMap { folder in
      (FileManager.default.subpaths(atPath: root.appendingPathComponent(folder).path) ?? [])
        .filter { $0.hasSuffix(".swift") }
        .map { "\(folder)/\($0)" }
    }
    let texts = (paths.sorted() + ["README.md"]).compactMap { contents(root.appendingPathComponent($0)) }
    guard !texts.isEmpty else { throw .noPackage }
    return TrainingText(texts.joined(separator: "\n"), title: "the package's own sources")
  }

  private static func contents(_ file: URL) -> String? {
    (try? Data(contentsOf: file)).flatMap { String(data: $0, encoding: .utf8) }
  }

  private static func packageFolder(above file: String) -> URL? {
    var folder = URL(fileURLWithPath: file).deletingLastPathComponent()
    while folder.pathComponents.count > 1 {
      if FileManager.default.fileExists(atPath: folder.appendingPathComponent("Package.swift").path) { return folder }
      folder.deleteLastPathComponent()
    }
    return nil
  }
}
