import XCTest

@testable import ProgramSupport

final class WorkersTests: XCTestCase {
  func testWorkIsDoneOnceEach() {
    for (count, threads) in [(0, 2), (1, 2), (7, 1), (3, 8), (200_000, 8)] {
      var done = [Int](repeating: 0, count: count)
      done.withUnsafeMutableBufferPointer { done in
        nonisolated(unsafe) let done = done
        inParallel(count, threads: threads) { done[$0] += 1 }
      }
      XCTAssertEqual(done, [Int](repeating: 1, count: count), "\(count) on \(threads) threads")
    }
  }

  func testChunksCoverEverythingOnce() {
    for (count, size, threads) in [(0, 4, 2), (1, 4, 2), (1000, 7, 3), (64, 8, 1)] {
      nonisolated(unsafe) let hits = UnsafeMutableBufferPointer<Int>.allocate(capacity: count)
      hits.initialize(repeating: 0)
      forEachChunk(of: count, size: size, threads: threads) { for i in $0 { hits[i] += 1 } }
      XCTAssertTrue(hits.allSatisfy { $0 == 1 })
      hits.deallocate()
    }
  }
}
