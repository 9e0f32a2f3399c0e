import Dispatch
import Foundation

/// Runs `body` over all of `0..<count`, cut into parts of at least `leastPart`, on up to `threadCount` threads. Threads take
/// the next part when they are done with theirs. What `body` does to one index must not depend on the cut.
func forEachPart(
  of count: Int, leastPart: Int, partsPerThread: Int = 8, threadCount: Int, _ body: @Sendable (Range<Int>) -> Void
) {
  let threads = min(threadCount, count / max(leastPart, 1))
  guard threads > 1 else { return body(0..<count) }
  let queue = PartQueue(count: count, partCount: min(partsPerThread * threads, count / max(leastPart, 1)))
  DispatchQueue.concurrentPerform(iterations: threads) { _ in
    while let part = queue.next() { body(part) }
  }
}

private final class PartQueue: @unchecked Sendable {
  private let count: Int
  private let partCount: Int
  private let lock = NSLock()
  private var taken = 0

  init(count: Int, partCount: Int) {
    self.count = count
    self.partCount = partCount
  }

  func next() -> Range<Int>? {
    lock.withLock {
      guard taken < partCount else { return nil }
      taken += 1
      return (taken - 1) * count / partCount..<taken * count / partCount
    }
  }
}
