// Adam on one block of 128 elements with a first moment in codes of 2 to 4 bits and logarithmic levels for the second, in
// two halves. Between them the caller finds the new levels. Kernel sets may do without: the stages give the same bits.

/// The two halves, in one instruction set.
public final class LogarithmicStep: Sendable {
  public typealias Values = UnsafePointer<Float>
  public typealias MutableValues = UnsafeMutablePointer<Float>

  /// Elements of a block.
  @inlinable @inline(__always)
  public static var blockSize: Int { 128 }

  /// Leaves the new moments in scratch memory. Takes parameters, gradients, the first moment and its map's values
  /// (sixteen can be read), the second moment and its base.
  public let makeMoments:
    @Sendable (Values, Values, PackedBlock, Values, PackedBlock, Float, AdamConstants) -> NewMoments
  /// Takes parameters, the first moment with the reciprocal of its new scale as the scale, its map's thresholds (sixteen
  /// can be read), the second moment and how to round it.
  public let moveAndEncode:
    @Sendable (MutableValues, PackedBlock, Values, PackedBlock, LogarithmicRounding, AdamConstants) -> Void

  public init(
    makeMoments:
      @escaping @Sendable (Values, Values, PackedBlock, Values, PackedBlock, Float, AdamConstants) -> NewMoments,
    moveAndEncode:
      @escaping @Sendable (MutableValues, PackedBlock, Values, PackedBlock, LogarithmicRounding, AdamConstants) -> Void
  ) {
    self.makeMoments = makeMoments
    self.moveAndEncode = moveAndEncode
  }
}

/// One block of a moment in codes of 2 to 4 bits, and scratch memory for its values.
public struct PackedBlock {
  public var codes: UnsafeMutablePointer<UInt8>
  public var values: UnsafeMutablePointer<Float>
  /// Bits per code.
  public var bits: Int
  public var scale: Float

  @inlinable @inline(__always)
  public init(
    codes: UnsafeMutablePointer<UInt8>, values: UnsafeMutablePointer<Float>, bits: Int, scale: Float
  ) {
    self.codes = codes
    self.values = values
    self.bits = bits
    self.scale = scale
  }
}

/// What the first half finds.
public struct NewMoments {
  /// Finite gradients and moments, and no second moment below 0. If not, nothing but scratch memory has changed, nor may
  /// the second half follow.
  public var isOrdinary: Bool
  public var maxima: MomentMaxima
  /// `fastQuantileStage` of the second moments.
  public var quantile: Float

  @inlinable @inline(__always)
  public init(isOrdinary: Bool, maxima: MomentMaxima, quantile: Float) {
    self.isOrdinary = isOrdinary
    self.maxima = maxima
    self.quantile = quantile
  }
}

/// How to round second moments to new logarithmic levels.
public struct LogarithmicRounding {
  /// The largest level, and the ratio of neighbours.
  public var scale, base: Float
  /// As in `LogarithmicLevels`.
  public var log2Base, leastFactor: Float
  /// Of the random numbers, as `fillUniformsStage` takes it.
  public var key: UInt64

  @inlinable @inline(__always)
  public init(scale: Float, base: Float, log2Base: Float, leastFactor: Float, key: UInt64) {
    self.scale = scale
    self.base = base
    self.log2Base = log2Base
    self.leastFactor = leastFactor
    self.key = key
  }
}
