internal import TileKernels

/// One tensor's part in a step: plain pointers and numbers, so that the inner loop counts no references.
struct TensorTask {
  private(set) var parameters: UnsafeMutablePointer<Float>
  private(set) var gradients: UnsafePointer<Float>
  let count: Int
  let blockSize: Int
  private(set) var constants: StepConstants
  /// Steps that the parameter has made: the state has them too, but is seldom in a cache.
  var stepCount: Int
  /// Blocks of the tasks before this one, in the order of the call.
  private(set) var firstBlock: Int
  /// Blocks left untouched. Written under the engine's lock.
  var skippedBlockCount = 0
  /// The rows that move; nil for all.
  var rows: SelectedRows?
  /// Tiles of the tasks before this one, and this one's; none but for factored second moments.
  var firstTile = 0
  var tileCount = 0
  var first: MomentMemory
  var second: MomentMemory
  /// Where the sums of the tiles are, while the engine runs.
  var sums: SquareSums?

  init(
    _ update: TensorUpdate, first: MomentMemory, second: MomentMemory, _ constants: StepConstants, blockSize: Int,
    stepCount: Int, firstBlock: Int
  ) {
    parameters = update.parameter.baseAddress!
    gradients = update.gradient.baseAddress!
    count = update.parameter.count
    self.blockSize = blockSize
    self.constants = constants
    self.stepCount = stepCount
    self.firstBlock = firstBlock
    rows = update.rows?.view(blockSize: blockSize)
    self.first = first
    self.second = second
  }

  /// Whether an update of the same parameter is sure to go with its state.
  func fits(_ update: TensorUpdate) -> Bool {
    update.parameter.count == count && update.rows == nil && (update.shape == nil || sliceCount + tileCount == 0)
  }

  /// Takes the parameter's next update.
  mutating func take(_ update: TensorUpdate, _ constants: StepConstants, firstBlock: Int) {
    parameters = update.parameter.baseAddress!
    gradients = update.gradient.baseAddress!
    self.constants = constants
    self.firstBlock = firstBlock
    skippedBlockCount = 0
    rows = update.rows?.view(blockSize: blockSize)
  }

  var blockCount: Int { rows?.blockCount ?? (count + blockSize - 1) / blockSize }

  /// Updates some blocks and returns how many were skipped.
  func update(blocks: Range<Int>, _ scratch: BlockScratch, _ kernels: KernelSet) -> Int {
    if let skippedCount = updateInWholeSteps(blocks: blocks, scratch, kernels) { return skippedCount }
    var skippedCount = 0
    for block in blocks where !update(block: block, scratch, kernels) { skippedCount += 1 }
    return skippedCount
  }

  func run(over blocks: Range<Int>) -> BlockRun {
    BlockRun(parameters: parameters, gradients: gradients, count: count, blockSize: blockSize, blocks: blocks)
  }

  /// Updates one block: decode, rule, encode. Returns false if it was skipped.
  @inline(__always)
  func update(block: Int, _ scratch: BlockScratch, _ kernels: KernelSet) -> Bool {
    if let rows { return update(rows, selectedBlock: block, scratch, kernels) }
    let start = block &* blockSize
    let count = min(blockSize, self.count &- start)
    let parameters = parameters + start
    let gradients = gradients + start
    guard kernels.absmax(gradients, count) < .infinity else {
      keepValues(ofBlock: block, at: start, count: count, scratch, kernels)
      return false
    }
    switch constants {
    case .adam(let constants):
      if case .factored(let memory) = second {
        updateWithMeans(memory, block: block, at: start, count: count, scratch, kernels, constants)
        return true
      }
      let m = first.values(ofBlock: block, at: start, count: count, scratch: scratch.first, kernels)
      let v = second.values(ofBlock: block, at: start, count: count, scratch: scratch.second, kernels)
      let maxima = kernels.adam(parameters, gradients, m, v, count, constants)
      first.store(
        m, ofBlock: block, at: start, count: count, absmax: maxima.first, scratch: scratch.first, kernels)
      second.store(
        v, ofBlock: block, at: start, count: count, absmax: maxima.second, scratch: scratch.second, kernels)
    case .momentum(let constants):
      let b = first.values(ofBlock: block, at: start, count: count, scratch: scratch.first, kernels)
      let absmax = kernels.momentum(parameters, gradients, b, count, constants)
      first.store(b, ofBlock: block, at: start, count: count, absmax: absmax, scratch: scratch.first, kernels)
    }
    return true
  }
}

/// A thread's memory for one block.
struct BlockScratch {
  let first: MomentScratch
  let second: MomentScratch
  /// The same memory, and more, for steps that go over several blocks at a time.
  let floats: UnsafeMutablePointer<Float>
}
