import Foundation
import ProgramSupport

extension Terminal {
  /// Whether the locale says that block characters can be shown.
  static func showsUnicode(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> Bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }
    let locale = names.first { !$0.isEmpty }?.lowercased() ?? ""
    return locale.contains("utf-8") || locale.contains("utf8")
  }
}
