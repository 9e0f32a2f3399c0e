// Whole steps over blocks of 8-bit codes, which are faster than stage by stage.

/// A moment in blocks of 8-bit codes, and scratch memory for the values of one block and of the next.
public struct ByteMoment {
  public var codes: UnsafeMutablePointer<UInt8>
  public var scales: UnsafeMutablePointer<Float>
  public var map: ByteMap
  public var scaleKind: BlockScale
  public var values: UnsafeMutablePointer<Float>
  public var nextValues: UnsafeMutablePointer<Float>

  public init(
    codes: UnsafeMutablePointer<UInt8>, scales: UnsafeMutablePointer<Float>, map: ByteMap, scaleKind: BlockScale,
    values: UnsafeMutablePointer<Float>, nextValues: UnsafeMutablePointer<Float>
  ) {
    self.codes = codes
    self.scales = scales
    self.map = map
    self.scaleKind = scaleKind
    self.values = values
    self.nextValues = nextValues
  }

  /// The next block is in hand.
  @inlinable @inline(__always)
  public mutating func swapValues() { (values, nextValues) = (nextValues, values) }

  /// Sets the block's scale from its new values, whose largest magnitude is known and finite. Returns its reciprocal.
  @inlinable @inline(__always)
  public func newReciprocal(_ block: Int, _ count: Int, _ absmaxBits: UInt32) -> Float {
    let scale = scaleKind.scale(of: values, count, absmax: Float(bitPattern: absmaxBits))
    scales[block] = scale
    return scaleReciprocal(scale)
  }
}

/// Gives the smallest positive code to positive values that took the code of zero, as dividing by a scale above 1 can
/// make of them.
@inlinable @inline(__always)
public func keepPositive(_ values: UnsafePointer<Float>, _ count: Int, _ codes: UnsafeMutablePointer<UInt8>) {
  for i in 0..<count { codes[i] = max(codes[i], values[i] > 0 ? 1 : 0) }
}

/// The steps, in one instruction set. Each goes from block to block and returns the first that is out of the ordinary and
/// has been left as it is, for the stages to deal with, or the run's end.
public final class ByteSteps: Sendable {
  public typealias Adam = @Sendable (BlockRun, ByteMoment, ByteMoment, AdamConstants) -> Int
  public typealias Momentum = @Sendable (BlockRun, ByteMoment, MomentumConstants) -> Int

  public let adam: Adam
  public let momentum: Momentum

  public init(adam: @escaping Adam, momentum: @escaping Momentum) {
    self.adam = adam
    self.momentum = momentum
  }
}
