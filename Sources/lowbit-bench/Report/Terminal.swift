import ProgramSupport

extension Terminal {
  /// Says what is being measured, on a terminal only; `clearProgress` wipes it.
  static func progress(_ text: String) {
    if isInteractive { write("\r" + text.padded(to: 78)) }
  }

  static func clearProgress() {
    if isInteractive { write("\r" + "".padded(to: 78) + "\r") }
  }
}
