import Foundation

/// Where the report goes. It uses no colour, so `NO_COLOR` needs no handling.
public enum Terminal {
  /// Whether a line may be rewritten in place.
  public static let isInteractive =
    isatty(STDOUT_FILENO) != 0 && ProcessInfo.processInfo.environment["TERM"] != "dumb"

  /// Writes at once: `print` would hold lines back when the output is a pipe.
  public static func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }

  public static func line(_ text: String = "") { write(text + "\n") }
}
