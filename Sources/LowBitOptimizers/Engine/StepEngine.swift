import BlockQuantization
import Dispatch
import Foundation
internal import TileKernels

/// Runs the tasks of a step over all cores, at block boundaries. Its memory is kept from step to step.
///
/// A batch of many small tensors is one loop over all their blocks. Threads take the next chunk when they are done with
/// theirs, so unequal cores even out; blocks do not depend on each other, so the result does not depend on the split.
final class StepEngine: @unchecked Sendable {
  /// Steps with fewer blocks per thread run on one thread: waking another costs more.
  private static let leastBlocksPerThread = 32
  private static let mostBlocksPerChunk = 128

  var threadCount = ProcessInfo.processInfo.activeProcessorCount
  var kernels = KernelSet.current
  /// Of the tasks so far, the largest.
  private var blockSize: Int

  private var tasks: UnsafeMutableBufferPointer<TensorTask>
  private var taskCount = 0
  private var blockCount = 0

  private var scratch: UnsafeMutablePointer<Float>
  private var scratchThreadCount = 1
  /// Two moments, and a line between threads so that they do not write into each other's cache lines.
  private var scratchStride: Int

  private let lock = NSLock()
  private var nextChunk = 0
  private var blocksPerChunk = 1

  init(blockSize: Int) {
    self.blockSize = blockSize
    tasks = .allocate(capacity: 8)
    scratchStride = Self.scratchStride(blockSize)
    scratch = Self.allocateScratch(scratchStride)
  }

  deinit {
    tasks.deallocate()
    UnsafeMutableRawPointer(scratch).deallocate()
  }

  private static func scratchStride(_ blockSize: Int) -> Int { 2 * blockSize + 32 }

  /// A restored state can have larger blocks than the optimizer gives to new ones.
  private func enlargeScratch(blockSize: Int) {
    self.blockSize = blockSize
    scratchStride = Self.scratchStride(blockSize)
    UnsafeMutableRawPointer(scratch).deallocate()
    scratch = Self.allocateScratch(scratchThreadCount * scratchStride)
  }

  private static func allocateScratch(_ count: Int) -> UnsafeMutablePointer<Float> {
    UnsafeMutableRawPointer.allocate(byteCount: 4 * count, alignment: 64).bindMemory(to: Float.self, capacity: count)
  }

  // MARK: - Collecting tasks

  func removeAllTasks() {
    taskCount = 0
    blockCount = 0
  }

  func addTask(
    _ update: TensorUpdate, first: MomentMemory, second: MomentMemory, _ constants: StepConstants, blockSize: Int
  ) {
    if taskCount == tasks.count {
      let larger = UnsafeMutableBufferPointer<TensorTask>.allocate(capacity: 2 * taskCount)
      _ = larger.moveInitialize(fromContentsOf: tasks)
      tasks.deallocate()
      tasks = larger
    }
    let task = TensorTask(
      parameters: update.parameter.baseAddress!, gradients: update.gradient.baseAddress!,
      count: update.parameter.count, blockSize: blockSize, first: first, second: second, constants: constants,
      firstBlock: blockCount, rows: update.rows?.view(blockSize: blockSize))
    (tasks.baseAddress! + taskCount).initialize(to: task)
    taskCount += 1
    blockCount += task.blockCount
    if blockSize > self.blockSize { enlargeScratch(blockSize: blockSize) }
  }

  /// Blocks of the task that were skipped in the last run, and all its blocks.
  func outcome(ofTask index: Int) -> (skipped: Int, all: Int) {
    (tasks[index].skippedBlockCount, tasks[index].blockCount)
  }

  // MARK: - Running them

  func run() {
    let threads = min(threadCount, max(1, blockCount / Self.leastBlocksPerThread))
    if threads > scratchThreadCount {
      UnsafeMutableRawPointer(scratch).deallocate()
      scratch = Self.allocateScratch(threads * scratchStride)
      scratchThreadCount = threads
    }
    nextChunk = 0
    blocksPerChunk = min(Self.mostBlocksPerChunk, max(1, blockCount / (4 * threads)))
    if threads == 1 {
      work(thread: 0)
    } else {
      DispatchQueue.concurrentPerform(iterations: threads) { self.work(thread: $0) }
    }
  }

  private func work(thread: Int) {
    let base = scratch + thread * scratchStride
    let scratch = BlockScratch(first: base, second: base + blockSize)
    while let chunk = takeChunk() {
      update(blocks: chunk, scratch)
    }
  }

  private func takeChunk() -> Range<Int>? {
    lock.lock()
    defer { lock.unlock() }
    let start = nextChunk * blocksPerChunk
    guard start < blockCount else { return nil }
    nextChunk += 1
    return start..<min(start + blocksPerChunk, blockCount)
  }

  private func update(blocks: Range<Int>, _ scratch: BlockScratch) {
    var index = indexOfTask(holding: blocks.lowerBound)
    var block = blocks.lowerBound
    while block < blocks.upperBound {
      let task = tasks[index]
      let end = min(task.firstBlock + task.blockCount, blocks.upperBound)
      var skipped = 0
      for inner in block - task.firstBlock..<end - task.firstBlock where !task.update(block: inner, scratch, kernels) {
        skipped += 1
      }
      if skipped > 0 {
        lock.lock()
        tasks[index].skippedBlockCount += skipped
        lock.unlock()
      }
      block = end
      index += 1
    }
  }

  private func indexOfTask(holding block: Int) -> Int {
    var low = 0
    var high = taskCount - 1
    while low < high {
      let middle = (low + high + 1) / 2
      if tasks[middle].firstBlock <= block { low = middle } else { high = middle - 1 }
    }
    return low
  }
}
