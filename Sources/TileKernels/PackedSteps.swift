// Whole steps over blocks of 128 elements in codes of 2 to 4 bits, for kernel sets that have some faster than the stages one
// after another. Other kernel sets do without: the stages give the same bits.

/// A moment in blocks of codes of 2 to 4 bits.
public struct PackedMoment {
  public var codes: UnsafeMutablePointer<UInt8>
  public var scales: UnsafeMutablePointer<Float>
  /// Bits per code.
  public var bits: Int
  /// The codebook's values and thresholds. Sixteen of each can be read.
  public var values, thresholds: UnsafePointer<Float>
  /// More tables of a codebook of 4 bits; nil for fewer.
  public var vectors: UnsafePointer<NibbleVectors>?
  public var scaleKind: BlockScale

  public init(
    codes: UnsafeMutablePointer<UInt8>, scales: UnsafeMutablePointer<Float>, bits: Int, values: UnsafePointer<Float>,
    thresholds: UnsafePointer<Float>, vectors: UnsafePointer<NibbleVectors>?, scaleKind: BlockScale
  ) {
    self.codes = codes
    self.scales = scales
    self.bits = bits
    self.values = values
    self.thresholds = thresholds
    self.vectors = vectors
    self.scaleKind = scaleKind
  }
}

/// A moment in blocks of logarithmic codes, whose bases follow from the fast quantile.
public struct LogarithmicMoment {
  public var codes: UnsafeMutablePointer<UInt8>
  public var scales, bases: UnsafeMutablePointer<Float>
  /// Bits per code.
  public var bits: Int
  /// What the random numbers of a block are made of, with the block's number in the whole parameter.
  public var streamKey: UInt64
  /// That of the first block.
  public var firstBlock: Int

  public init(
    codes: UnsafeMutablePointer<UInt8>, scales: UnsafeMutablePointer<Float>, bases: UnsafeMutablePointer<Float>,
    bits: Int, streamKey: UInt64, firstBlock: Int
  ) {
    self.codes = codes
    self.scales = scales
    self.bases = bases
    self.bits = bits
    self.streamKey = streamKey
    self.firstBlock = firstBlock
  }
}

/// The steps, in one instruction set. They take at most 64 blocks.
///
/// They return in bit i whether the i-th block of the run is left as it was, because it is out of the ordinary: shorter than
/// the others, not finite, or of one level.
public final class PackedSteps: Sendable {
  /// Adam with logarithmic second moments. The last argument but one is scratch memory.
  public let adam:
    @Sendable (BlockRun, PackedMoment, LogarithmicMoment, UnsafeMutablePointer<Float>, AdamConstants) -> UInt64

  /// Momentum on codes of 2 or 3 bits. The last argument but one is scratch memory.
  public let momentum: @Sendable (BlockRun, PackedMoment, UnsafeMutablePointer<Float>, MomentumConstants) -> UInt64

  /// Elements of a block.
  @inlinable @inline(__always)
  public static var blockSize: Int { 128 }
  @inlinable @inline(__always)
  public static var mostBlocks: Int { 64 }
  /// Floats of scratch memory.
  @inlinable @inline(__always)
  public static var scratchCount: Int { 4096 }

  public init(
    adam:
      @escaping @Sendable (BlockRun, PackedMoment, LogarithmicMoment, UnsafeMutablePointer<Float>, AdamConstants) ->
      UInt64,
    momentum:
      @escaping @Sendable (BlockRun, PackedMoment, UnsafeMutablePointer<Float>, MomentumConstants) -> UInt64
  ) {
    self.adam = adam
    self.momentum = momentum
  }
}
