import Dispatch
import Foundation

/// Runs `body` on all parts of 0..<count, on several threads. Each takes the next part when it is done with one, as the
/// library's step does, so that both suffer alike when a core is busy elsewhere.
func forEachChunk(of count: Int, size: Int, threads: Int, _ body: @Sendable (Range<Int>) -> Void) {
  let chunkCount = (count + size - 1) / size
  let next = Counter()
  DispatchQueue.concurrentPerform(iterations: min(threads, max(1, chunkCount))) { _ in
    while case let chunk = next.take(), chunk < chunkCount {
      body(chunk * size..<min((chunk + 1) * size, count))
    }
  }
}

private final class Counter: @unchecked Sendable {
  private let lock = NSLock()
  private var value = 0

  func take() -> Int {
    lock.withLock {
      defer { value += 1 }
      return value
    }
  }
}
