import Foundation

/// Where the report goes and what it can show there. The report uses no colour, so `NO_COLOR` needs no handling.
enum Terminal {
  /// Whether a line may be rewritten in place.
  static var isInteractive: Bool {
    isatty(STDOUT_FILENO) != 0 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
  }

  /// Whether the locale says that block characters can be shown.
  static func showsUnicode(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> Bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }
    let locale = names.first { !$0.isEmpty }?.lowercased() ?? ""
    return locale.contains("utf-8") || locale.contains("utf8")
  }

  /// Writes at once: `print` would hold lines back when the output is a pipe.
  static func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }

  static func line(_ text: String = "") { write(text + "\n") }

  static func complain(_ text: String) { FileHandle.standardError.write(Data("lowbit-train: \(text)\n".utf8)) }
}
