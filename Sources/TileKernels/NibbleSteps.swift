// Whole steps over blocks of 4-bit codes. A block of 128 takes so little time that calling each stage through the table of
// stages, and finding out its format, would be a fifth of it.

/// The stages that a step over 4-bit codes consists of, in one instruction set.
public protocol NibbleStages {
  static func absmax(_ values: UnsafePointer<Float>, _ count: Int) -> Float
  static func adam(
    _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
    _ firstMoments: UnsafeMutablePointer<Float>, _ secondMoments: UnsafeMutablePointer<Float>,
    _ count: Int, _ constants: AdamConstants
  ) -> MomentMaxima
  static func momentum(
    _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
    _ buffers: UnsafeMutablePointer<Float>, _ count: Int, _ constants: MomentumConstants
  ) -> Float
  static func decode(
    _ codes: UnsafePointer<UInt8>, _ count: Int, _ scale: Float, _ map: NibbleMap,
    _ values: UnsafeMutablePointer<Float>)
  static func encode(
    _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ map: NibbleMap,
    _ codes: UnsafeMutablePointer<UInt8>)
}

/// Which blocks of a tensor to step over, and the tensor's parameters and gradients.
public struct BlockRun {
  public var parameters: UnsafeMutablePointer<Float>
  public var gradients: UnsafePointer<Float>
  /// Elements of the tensor.
  public var count: Int
  public var blockSize: Int
  public var firstBlock: Int
  public var endBlock: Int

  public init(
    parameters: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>, count: Int, blockSize: Int,
    blocks: Range<Int>
  ) {
    self.parameters = parameters
    self.gradients = gradients
    self.count = count
    self.blockSize = blockSize
    firstBlock = blocks.lowerBound
    endBlock = blocks.upperBound
  }

  /// Elements of a block: the last one can be short. Without `min`, which becomes a weak function where loops are long.
  @inlinable @inline(__always)
  public func length(of block: Int) -> Int {
    let rest = count &- block &* blockSize
    return rest < blockSize ? rest : blockSize
  }

  /// One of the blocks.
  @inlinable @inline(__always)
  public func only(_ block: Int) -> BlockRun {
    var run = self
    run.firstBlock = block
    run.endBlock = block &+ 1
    return run
  }

  /// Without the last block if its length is no multiple of `width`, a power of two.
  @inlinable @inline(__always)
  public func withoutShortBlock(_ width: Int) -> BlockRun {
    var whole = self
    if firstBlock < endBlock && length(of: endBlock &- 1) & (width &- 1) != 0 { whole.endBlock = endBlock &- 1 }
    return whole
  }
}

/// A moment in blocks of 4-bit codes, and scratch memory for one block's values.
public struct NibbleMoment {
  public var codes: UnsafeMutablePointer<UInt8>
  public var scales: UnsafeMutablePointer<Float>
  public var map: NibbleMap
  public var scaleKind: BlockScale
  public var values: UnsafeMutablePointer<Float>

  public init(
    codes: UnsafeMutablePointer<UInt8>, scales: UnsafeMutablePointer<Float>, map: NibbleMap, scaleKind: BlockScale,
    values: UnsafeMutablePointer<Float>
  ) {
    self.codes = codes
    self.scales = scales
    self.map = map
    self.scaleKind = scaleKind
    self.values = values
  }

  @inlinable @inline(__always)
  func decode<Stages: NibbleStages>(_: Stages.Type, _ block: Int, _ start: Int, _ count: Int) {
    Stages.decode(codes + start / 2, count, scales[block], map, values)
  }

  @inlinable @inline(__always)
  func encode<Stages: NibbleStages>(_: Stages.Type, _ block: Int, _ start: Int, _ count: Int, _ absmax: Float) {
    var absmax = absmax
    if !(absmax < .infinity) {
      saturateStage(values, count)
      absmax = Stages.absmax(values, count)
    }
    let scale = scaleKind.scale(of: values, count, absmax: absmax)
    Stages.encode(values, count, scaleReciprocal(scale), map, codes + start / 2)
    scales[block] = scale
  }
}

/// What to multiply values by in place of dividing them by their scale: 0 for a scale of 0.
@inlinable @inline(__always)
public func scaleReciprocal(_ scale: Float) -> Float { scale == 0 ? 0 : 1 / scale }

/// How a block's scale follows from its values.
public enum BlockScale {
  /// The largest magnitude.
  case absmax
  /// The first element that has it, with its sign.
  case signedExtreme

  /// The scale to store. A subnormal one has no finite reciprocal and becomes 0.
  @inlinable @inline(__always)
  public func scale(of values: UnsafePointer<Float>, _ count: Int, absmax: Float) -> Float {
    if absmax < .leastNormalMagnitude { return 0 }
    if case .absmax = self { return absmax }
    for i in 0..<count where values[i].magnitude == absmax { return values[i] }
    return absmax
  }
}

/// Adam on blocks of 4-bit codes. Returns the number of blocks left as they are because of their gradients.
@inlinable @inline(__always)
public func adamOnNibbles<Stages: NibbleStages>(
  _ stages: Stages.Type, _ run: BlockRun, _ first: NibbleMoment, _ second: NibbleMoment, _ constants: AdamConstants
) -> Int {
  var skippedCount = 0
  for block in run.firstBlock..<run.endBlock {
    let start = block &* run.blockSize
    let count = run.length(of: block)
    guard Stages.absmax(run.gradients + start, count) < .infinity else {
      skippedCount &+= 1
      continue
    }
    first.decode(stages, block, start, count)
    second.decode(stages, block, start, count)
    let maxima = Stages.adam(
      run.parameters + start, run.gradients + start, first.values, second.values, count, constants)
    first.encode(stages, block, start, count, maxima.first)
    second.encode(stages, block, start, count, maxima.second)
  }
  return skippedCount
}

/// Momentum on blocks of 4-bit codes. Returns the number of blocks left as they are because of their gradients.
@inlinable @inline(__always)
public func momentumOnNibbles<Stages: NibbleStages>(
  _ stages: Stages.Type, _ run: BlockRun, _ buffer: NibbleMoment, _ constants: MomentumConstants
) -> Int {
  var skippedCount = 0
  for block in run.firstBlock..<run.endBlock {
    let start = block &* run.blockSize
    let count = run.length(of: block)
    guard Stages.absmax(run.gradients + start, count) < .infinity else {
      skippedCount &+= 1
      continue
    }
    buffer.decode(stages, block, start, count)
    let absmax = Stages.momentum(
      run.parameters + start, run.gradients + start, buffer.values, count, constants)
    buffer.encode(stages, block, start, count, absmax)
  }
  return skippedCount
}
