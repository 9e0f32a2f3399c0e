import Dispatch
import Foundation

/// Runs `body` for 0, 1, 2 ... `count - 1` on up to `threads` threads.
///
/// A thread takes the next number when it is free, so a busy neighbour on one core does not hold up the rest.
/// Each number must write to memory of its own; then the results do not depend on who ran what.
public func inParallel(_ count: Int, threads: Int, _ body: (Int) -> Void) {
  if threads <= 1 || count <= 1 {
    for index in 0..<count { body(index) }
    return
  }
  withoutActuallyEscaping(body) { body in
    let queue = NumberQueue(count)
    nonisolated(unsafe) let body = body
    DispatchQueue.concurrentPerform(iterations: min(threads, count)) { _ in
      while let index = queue.next() { body(index) }
    }
  }
}

/// The same for all parts of 0 ..< `count`; each but the last has `size` numbers.
public func forEachChunk(of count: Int, size: Int, threads: Int, _ body: (Range<Int>) -> Void) {
  inParallel((count + size - 1) / size, threads: threads) { index in
    body(index * size..<min((index + 1) * size, count))
  }
}

private final class NumberQueue: @unchecked Sendable {
  private let lock = NSLock()
  private let count: Int
  private var taken = 0

  init(_ count: Int) { self.count = count }

  func next() -> Int? {
    lock.lock()
    defer { lock.unlock() }
    guard taken < count else { return nil }
    taken += 1
    return taken - 1
  }
}
