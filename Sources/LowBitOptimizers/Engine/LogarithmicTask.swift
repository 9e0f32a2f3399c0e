import BlockQuantization
internal import TileKernels

/// A task of Adam with logarithmic second moments, where the kernel set has a step of its own for it.
struct LogarithmicTask {
  private let parameters: UnsafeMutablePointer<Float>
  private let gradients: UnsafePointer<Float>
  private let count: Int
  private let step: LogarithmicStep
  private let constants: AdamConstants
  private let first: First
  private let second: LogarithmicMemory
  private let scratch: BlockScratch

  /// The first moment's codes, scales and tables.
  private struct First {
    let codec: BlockCodec
    let codes: UnsafeMutablePointer<UInt8>
    let scales: UnsafeMutablePointer<Float>
    let bits: Int
    let values, thresholds: UnsafePointer<Float>
  }

  /// nil for all other tasks.
  init?(_ task: TensorTask, _ scratch: BlockScratch, _ kernels: KernelSet) {
    guard let step = kernels.logarithmicStep, task.rows == nil, task.blockSize == LogarithmicStep.blockSize,
      case .adam(let constants) = task.constants, case .blocks(let codec, let codes, let scales) = task.first,
      case .logarithmic(let second) = task.second, second.codec.quantileRule == .fast, let tables = codec.levelTables
    else { return nil }
    parameters = task.parameters
    gradients = task.gradients
    count = task.count
    self.step = step
    self.constants = constants
    first = First(
      codec: codec, codes: codes, scales: scales, bits: tables.bits, values: tables.values,
      thresholds: tables.thresholds)
    self.second = second
    self.scratch = scratch
  }

  /// Updates a block as the stages would. Returns false, and leaves it as it is, if it is out of the ordinary: shorter
  /// than the others, not finite, or of one level.
  func update(block: Int) -> Bool {
    let start = block &* LogarithmicStep.blockSize
    guard count &- start >= LogarithmicStep.blockSize else { return false }
    let parameters = parameters + start
    var first = PackedBlock(
      codes: self.first.codes + start * self.first.bits / 8, values: scratch.first.values, bits: self.first.bits,
      scale: self.first.scales[block])
    let second = PackedBlock(
      codes: self.second.codes + self.second.codec.byteOffset(of: start), values: scratch.second.values,
      bits: self.second.codec.bits, scale: self.second.scales[block])
    let moments = step.makeMoments(
      parameters, gradients + start, first, self.first.values, second, self.second.bases[block], constants)
    guard moments.isOrdinary,
      let rounding = self.second.codec.rounding(
        quantile: moments.quantile, maximum: moments.maxima.second, key: self.second.numbers.key(ofBlock: block))
    else { return false }
    let scale = self.first.codec.scaleKind.scale(
      of: first.values, LogarithmicStep.blockSize, absmax: moments.maxima.first)
    first.scale = scaleReciprocal(scale)
    step.moveAndEncode(parameters, first, self.first.thresholds, second, rounding, constants)
    self.first.scales[block] = scale
    self.second.scales[block] = rounding.scale
    self.second.bases[block] = rounding.base
    return true
  }
}
