import Foundation

/// Memory for codes, scales and moments, aligned to cache lines.
///
/// Large regions ask the system for large pages: a step streams through several arrays at once, and with small pages it
/// waits for address translation.
package enum StateMemory {
  private static let largePage = 1 << 21

  package static func allocate(byteCount: Int) -> UnsafeMutableRawPointer {
    #if os(Linux)
    if byteCount >= 2 * largePage {
      let memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: largePage)
      // A wish: the memory is good either way.
      _ = madvise(memory, byteCount, MADV_HUGEPAGE)
      return memory
    }
    #endif
    return .allocate(byteCount: max(byteCount, 1), alignment: 64)
  }
}
