import Foundation

/// Where the report goes. It uses no colour, so `NO_COLOR` needs no handling.
enum Terminal {
  /// Whether a line may be rewritten in place.
  private static let isInteractive =
    isatty(STDOUT_FILENO) != 0 && ProcessInfo.processInfo.environment["TERM"] != "dumb"

  /// Writes at once: `print` would hold lines back when the output is a pipe.
  private static func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }

  static func line(_ text: String = "") { write(text + "\n") }

  /// Says what is being measured, on a terminal only; `clearProgress` wipes it.
  static func progress(_ text: String) {
    if isInteractive { write("\r" + text.padded(to: 78)) }
  }

  static func clearProgress() {
    if isInteractive { write("\r" + "".padded(to: 78) + "\r") }
  }

  static func complain(_ text: String) { FileHandle.standardError.write(Data("lowbit-bench: \(text)\n".utf8)) }
}
