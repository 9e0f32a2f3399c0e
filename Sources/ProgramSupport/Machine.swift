import Foundation

/// What the program runs on.
public enum Machine {
  public static var threads: Int { ProcessInfo.processInfo.activeProcessorCount }

  public static var isDebugBuild: Bool {
    #if DEBUG
    true
    #else
    false
    #endif
  }

  /// The processor's own name, or its architecture where that cannot be learned.
  public static var processor: String {
    #if canImport(Darwin)
    var size = 0
    if sysctlbyname("machdep.cpu.brand_string", nil, &size, nil, 0) == 0, size > 1 {
      var bytes = [UInt8](repeating: 0, count: size)
      if sysctlbyname("machdep.cpu.brand_string", &bytes, &size, nil, 0) == 0 {
        return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
    }
    #else
    let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n") ?? []
    if let line = lines.first(where: { $0.hasPrefix("model name") }), let colon = line.firstIndex(of: ":") {
      return line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
    }
    #endif
    #if arch(arm64)
    return "arm64"
    #elseif arch(x86_64)
    return "x86-64"
    #else
    return "unknown processor"
    #endif
  }
}
