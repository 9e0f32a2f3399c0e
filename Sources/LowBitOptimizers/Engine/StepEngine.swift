import BlockQuantization
import Dispatch
import Foundation
internal import TileKernels

/// Runs the tasks of a step over all cores, at block boundaries. Its memory is kept from step to step.
///
/// A batch of many small tensors is one loop over all their blocks. Threads take the next chunk when they are done with
/// theirs, so unequal cores even out; blocks do not depend on each other, so the result does not depend on the split.
/// Formats whose blocks share scales take one loop more, before that one, for the scales; those whose blocks share means
/// take one for the means.
final class StepEngine: @unchecked Sendable {
  /// Steps with fewer blocks per thread run on one thread: waking another costs more.
  private static let leastBlocksPerThread = 32
  private static let mostBlocksPerChunk = 128

  var threadCount = ProcessInfo.processInfo.activeProcessorCount
  var kernels = KernelSet.current

  private var tasks: UnsafeMutableBufferPointer<TensorTask>
  private var taskCount = 0
  private var blockCount = 0
  private var scratch: EngineScratch
  /// Most slices of one task; 0 if no task shares scales between blocks.
  private var mostSlices = 0
  /// Tiles of all tasks whose second moments are means of rows and columns.
  private var tileCount = 0
  private let squareSums = SquareSumMemory()

  private let lock = NSLock()
  private var nextChunk = 0

  init(blockSize: Int) {
    tasks = .allocate(capacity: 8)
    scratch = EngineScratch(threadCount: 1, blockSize: blockSize, sliceCount: 0)
  }

  deinit { tasks.deallocate() }

  // MARK: - Collecting tasks

  /// The tasks of the call before stay where they are: `repeatTask` uses them again.
  func beginCall() {
    taskCount = 0
    blockCount = 0
    mostSlices = 0
    tileCount = 0
  }

  func task(_ index: Int) -> UnsafeMutablePointer<TensorTask> { tasks.baseAddress! + index }

  func addTask(
    _ update: TensorUpdate, first: MomentMemory, second: MomentMemory, _ constants: StepConstants, blockSize: Int,
    stepCount: Int
  ) {
    if taskCount == tasks.count {
      let larger = UnsafeMutableBufferPointer<TensorTask>.allocate(capacity: 2 * taskCount)
      _ = larger.moveInitialize(fromContentsOf: tasks)
      tasks.deallocate()
      tasks = larger
    }
    task(taskCount).initialize(
      to: TensorTask(
        update, first: first, second: second, constants, blockSize: blockSize, stepCount: stepCount,
        firstBlock: blockCount))
    count(task(taskCount))
    // A restored state can have larger blocks than the optimizer gives to new ones.
    if blockSize > scratch.blockSize {
      scratch = EngineScratch(threadCount: scratch.threadCount, blockSize: blockSize, sliceCount: scratch.sliceCount)
    }
  }

  /// Adds the task that had this place in the call before, for the same parameter.
  func repeatTask(_ update: TensorUpdate, _ constants: StepConstants) {
    task(taskCount).pointee.take(update, constants, firstBlock: blockCount)
    count(task(taskCount))
  }

  private func count(_ task: UnsafeMutablePointer<TensorTask>) {
    task.pointee.firstTile = tileCount
    task.pointee.tileCount = task.pointee.tiles?.count ?? 0
    taskCount += 1
    blockCount += task.pointee.blockCount
    tileCount += task.pointee.tileCount
    mostSlices = max(mostSlices, task.pointee.sliceCount)
  }

  // MARK: - Running them

  func run() {
    let threads = min(threadCount, max(1, blockCount / Self.leastBlocksPerThread))
    if threads > scratch.threadCount || mostSlices > scratch.sliceCount {
      scratch = EngineScratch(
        threadCount: max(threads, scratch.threadCount), blockSize: scratch.blockSize,
        sliceCount: max(mostSlices, scratch.sliceCount))
    }
    if tileCount > 0 { makeMeans(threads) }
    guard mostSlices > 0 else { return forEachChunk(of: blockCount, threads) { self.update($0, thread: $1) } }
    forEachChunk(of: blockCount, threads) {
      self.raiseMaxima($0, thread: $1)
    } atEnd: {
      self.mergeMaxima(thread: $0)
    }
    for task in tasks[..<taskCount] where task.sharesScales { task.prepareScales() }
    forEachChunk(of: blockCount, threads) { self.update($0, thread: $1) }
    for task in tasks[..<taskCount] where task.sharesScales { task.commitScales() }
  }

  /// Calls `body` with some blocks, or tiles, and a thread's number, until all have had their turn.
  private func forEachChunk(
    of count: Int, _ threads: Int, _ body: @Sendable (Range<Int>, Int) -> Void,
    atEnd end: @Sendable (Int) -> Void = { _ in }
  ) {
    nextChunk = 0
    let length = min(Self.mostBlocksPerChunk, max(1, count / (4 * threads)))
    @Sendable func work(thread: Int) {
      while let chunk = takeChunk(length, of: count) { body(chunk, thread) }
      end(thread)
    }
    if threads == 1 {
      work(thread: 0)
    } else {
      DispatchQueue.concurrentPerform(iterations: threads, execute: work)
    }
  }

  private func takeChunk(_ length: Int, of count: Int) -> Range<Int>? {
    lock.lock()
    defer { lock.unlock() }
    let start = nextChunk * length
    guard start < count else { return nil }
    nextChunk += 1
    return start..<min(start + length, count)
  }

  private func update(_ chunk: Range<Int>, thread: Int) {
    let scratch = scratch.blockScratch(thread)
    forEachTask(in: chunk, of: .blocks) { index, blocks in tasks[index].askForPages(blocks) }
    forEachTask(in: chunk, of: .blocks) { index, blocks in
      let isEnd = blocks.upperBound == tasks[index].blockCount
      if isEnd, index + 1 < taskCount, let prefetch = kernels.prefetch { tasks[index + 1].askForHead(prefetch) }
      let skipped = tasks[index].update(blocks: blocks, scratch, kernels)
      if skipped > 0 { lock.withLock { tasks[index].skippedBlockCount += skipped } }
    }
  }

  /// A thread gathers the maxima of one task after another in memory of its own. Maxima do not depend on the order.
  private func raiseMaxima(_ chunk: Range<Int>, thread: Int) {
    let blockScratch = scratch.blockScratch(thread)
    let maxima = scratch.maxima(thread)
    forEachTask(in: chunk, of: .blocks) { index, blocks in
      let task = tasks[index]
      guard task.sharesScales else { return }
      if scratch.taskOfMaxima[thread] != index {
        mergeMaxima(thread: thread)
        scratch.taskOfMaxima[thread] = index
      }
      task.askForPages(blocks)
      task.raiseMaxima(maxima, blocks: blocks, blockScratch, kernels)
    }
  }

  private func mergeMaxima(thread: Int) {
    let index = scratch.taskOfMaxima[thread]
    guard index >= 0 else { return }
    let maxima = scratch.maxima(thread)
    lock.withLock { tasks[index].merge(maxima) }
    maxima.update(repeating: 0, count: tasks[index].sliceCount)
    scratch.taskOfMaxima[thread] = -1
  }

  /// The first pass of second moments that are means of rows and columns. Each tile's sums are its own, so their order does
  /// not depend on the threads.
  private func makeMeans(_ threads: Int) {
    var size = SquareSumSize()
    for task in tasks[..<taskCount] { if let tiles = task.tiles { size.add(tiles) } }
    squareSums.reserve(size, threadCount: threads)
    var start = SquareSumSize()
    for index in 0..<taskCount {
      guard let tiles = tasks[index].tiles else { continue }
      tasks[index].sums = squareSums.part(at: start, tiles)
      start.add(tiles)
    }
    forEachChunk(of: tileCount, threads) { self.sumSquares($0, thread: $1) }
    for task in tasks[..<taskCount] { task.updateMeans() }
  }

  private func sumSquares(_ chunk: Range<Int>, thread: Int) {
    let squares = squareSums.squares(thread)
    forEachTask(in: chunk, of: .tiles) { index, range in
      let task = tasks[index]
      guard let tiles = task.tiles else { return }
      for tile in range {
        task.sumSquares(ofTile: tile, tiles, squares: squares, kernels) { tile, row, columns in
          lock.withLock { task.countSkip(tile, tiles, row: row, columns: columns) }
        }
      }
    }
  }

  /// What a chunk is made of.
  private enum Unit {
    case blocks, tiles

    @inline(__always)
    func first(_ task: TensorTask) -> Int { self == .blocks ? task.firstBlock : task.firstTile }
    @inline(__always)
    func count(_ task: TensorTask) -> Int { self == .blocks ? task.blockCount : task.tileCount }
  }

  /// Calls `body` with each task that has blocks, or tiles, in the chunk, and with these.
  @inline(__always)
  private func forEachTask(in chunk: Range<Int>, of unit: Unit, _ body: (Int, Range<Int>) -> Void) {
    var index = indexOfTask(holding: chunk.lowerBound, unit)
    var start = chunk.lowerBound
    while start < chunk.upperBound {
      let first = unit.first(tasks[index])
      let end = min(first + unit.count(tasks[index]), chunk.upperBound)
      if end > start { body(index, start - first..<end - first) }
      start = end
      index += 1
    }
  }

  private func indexOfTask(holding place: Int, _ unit: Unit) -> Int {
    var low = 0
    var high = taskCount - 1
    while low < high {
      let middle = (low + high + 1) / 2
      if unit.first(tasks[middle]) <= place { low = middle } else { high = middle - 1 }
    }
    return low
  }
}
