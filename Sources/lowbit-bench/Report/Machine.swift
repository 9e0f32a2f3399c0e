import Foundation

/// What the program runs on.
enum Machine {
  static var threads: Int { ProcessInfo.processInfo.activeProcessorCount }

  static var memoryByteCount: Int { Int(clamping: ProcessInfo.processInfo.physicalMemory) }

  static var isDebugBuild: Bool {
    #if DEBUG
    true
    #else
    false
    #endif
  }

  /// Programs that wanted to run in the last minute, on average; 0 where the system does not say.
  static var load: Double {
    var loads = [0.0]
    return getloadavg(&loads, 1) == 1 ? loads[0] : 0
  }

  /// 0 where the system does not say.
  static var lastLevelCacheByteCount: Int {
    #if canImport(Glibc)
    max(0, sysconf(Int32(_SC_LEVEL3_CACHE_SIZE)))
    #else
    0
    #endif
  }

  /// The processor's own name, or its architecture where that cannot be learned.
  static var processor: String {
    #if canImport(Darwin)
    var size = 0
    sysctlbyname("machdep.cpu.brand_string", nil, &size, nil, 0)
    var bytes = [UInt8](repeating: 0, count: size)
    if size > 1, sysctlbyname("machdep.cpu.brand_string", &bytes, &size, nil, 0) == 0 {
      return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
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
