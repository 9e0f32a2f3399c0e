import Foundation
import ProgramSupport

/// How fast plain code moves memory: what a step could reach at most.
final class Bandwidth: @unchecked Sendable {
  private let source: UnsafeMutableRawPointer
  private let target: UnsafeMutableRawPointer
  private let byteCount: Int
  private let threads: Int
  /// Far more than a cache line each, far less than the arrays.
  private let chunkSize = 1 << 20
  /// Written so that the compiler keeps the reading.
  private let sums: UnsafeMutableBufferPointer<UInt64>

  init(arrayByteCount: Int, threads: Int) {
    byteCount = arrayByteCount
    self.threads = threads
    source = .allocate(byteCount: byteCount, alignment: 64)
    target = .allocate(byteCount: byteCount, alignment: 64)
    sums = .allocate(capacity: (byteCount + chunkSize - 1) / chunkSize)
    sums.initialize(repeating: 0)
    forEachChunk(of: byteCount, size: chunkSize, threads: threads) { range in
      memset(source + range.lowerBound, 1, range.count)
      memset(target + range.lowerBound, 2, range.count)
    }
  }

  deinit {
    source.deallocate()
    target.deallocate()
    sums.deallocate()
  }

  /// The floats that each body handles.
  var elements: Int { byteCount / 4 }

  /// One array into another: 4 bytes read and 4 written for each float.
  func copy() {
    forEachChunk(of: byteCount, size: chunkSize, threads: threads) { range in
      memcpy(target + range.lowerBound, source + range.lowerBound, range.count)
    }
  }

  /// One array from start to end: 4 bytes for each float.
  func read() {
    forEachChunk(of: byteCount, size: chunkSize, threads: threads) { range in
      let words = (source + range.lowerBound).assumingMemoryBound(to: UInt64.self)
      var sum: UInt64 = 0
      for i in 0..<range.count / 8 { sum &+= words[i] }
      sums[range.lowerBound / chunkSize] = sum
    }
  }

  /// One array, each float written back where it was read: 8 bytes for each. A step does this to parameters and state.
  func updateInPlace() {
    forEachChunk(of: byteCount, size: chunkSize, threads: threads) { range in
      let words = (target + range.lowerBound).assumingMemoryBound(to: UInt64.self)
      for i in 0..<range.count / 8 { words[i] &+= 1 }
    }
  }
}
