import BlockQuantization
import Dispatch
import Foundation
internal import TileKernels

/// The first element that is a NaN or an infinity, or nil.
func firstNonFiniteIndex(in values: UnsafeBufferPointer<Float>, threadCount: Int) -> Int? {
  guard !values.isEmpty else { return nil }
  let kernels = KernelSet.current
  let chunkSize = 1 << 16
  let chunkCount = (values.count + chunkSize - 1) / chunkSize
  let workerCount = min(threadCount, chunkCount)
  let found = FirstIndex()
  nonisolated(unsafe) let values = values

  @Sendable func scan(worker: Int) {
    for chunk in stride(from: worker, to: chunkCount, by: workerCount) {
      let range = chunk * chunkSize..<min((chunk + 1) * chunkSize, values.count)
      guard kernels.absmax(values.baseAddress! + range.lowerBound, range.count) < .infinity else {
        found.note(range.first { !values[$0].isFinite }!)
        return
      }
    }
  }
  if workerCount == 1 {
    scan(worker: 0)
  } else {
    DispatchQueue.concurrentPerform(iterations: workerCount, execute: scan)
  }
  return found.index
}

private final class FirstIndex: @unchecked Sendable {
  private let lock = NSLock()
  private(set) var index: Int?

  func note(_ candidate: Int) { lock.withLock { index = min(index ?? .max, candidate) } }
}
