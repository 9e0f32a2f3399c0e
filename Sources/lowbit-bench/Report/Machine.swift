import Foundation
import ProgramSupport

extension Machine {
  static var memoryByteCount: Int { Int(clamping: ProcessInfo.processInfo.physicalMemory) }

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
}
