/// The levels of one block of logarithmic codes of 2, 3 or 4 bits, and what rounding to them needs.
///
/// Level 0 is the block's largest value, and each further level is the one before it times the base, rounded to float32.
public struct LogarithmicLevels {
  /// Bits per code.
  public var bits: Int
  /// log2 of the base, below 0.
  public var log2Base: Float
  /// The least dither factor: a little more than the base, so that rounding errors cannot push a value that is itself a
  /// level down to the next, and at most 1.
  public var leastFactor: Float
  /// The levels but the first, ascending: the last code's level comes first. Sixteen can be read.
  public var thresholds: UnsafePointer<Float>

  public init(bits: Int, log2Base: Float, leastFactor: Float, thresholds: UnsafePointer<Float>) {
    self.bits = bits
    self.log2Base = log2Base
    self.leastFactor = leastFactor
    self.thresholds = thresholds
  }
}

/// Code i = the number of levels but the first that values[i] · base^uniforms[i] does not exceed: stochastic rounding in
/// the logarithm, ⌊log_base(value / largest) + uniform⌋ within 0…2^bits − 1.
///
/// The values are finite and the uniforms in [0, 1). Zeros, and negative values, take the last code. Bits beyond the last
/// code are zero.
@inlinable @inline(__always)
public func encodeLogarithmicStage(
  _ values: UnsafePointer<Float>, _ uniforms: UnsafePointer<Float>, _ count: Int, _ levels: LogarithmicLevels,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  let log2Base = levels.log2Base
  // Positive floats order like their bits, whose maximum needs no branch.
  let least = Int32(bitPattern: levels.leastFactor.bitPattern)
  packCounts(count, levels.bits, levels.thresholds, fromTop: true, codes) { i in
    let factor = Int32(bitPattern: exp2OfNegative(uniforms[i] * log2Base).bitPattern)
    return values[i] * Float(bitPattern: UInt32(bitPattern: max(factor, least)))
  }
}

/// 2^x for −126 < x ≤ 0, at most 1 and exact for 0; relative error below 3e−7 beyond that of x.
///
/// x = k + f with |f| ≤ ½; a polynomial in f, and k goes into the exponent.
@inlinable @inline(__always)
public func exp2OfNegative(_ x: Float) -> Float {
  // Adding 1.5 · 2^23 rounds to the nearest integer, which then is in the lowest bits of the sum.
  let shifter: Float = 12_582_912
  let shifted = x + shifter
  let f = x - (shifted - shifter)
  // In pairs, which depend on each other less than one coefficient after the other.
  let square = f * f
  let low: Float = 1 + 0.693147 * f
  let middle: Float = 0.24022242 + 0.055507336 * f
  let high: Float = 0.009671513 + 0.0013264727 * f
  let p = low + square * (middle + square * high)
  return Float(bitPattern: p.bitPattern &+ shifted.bitPattern &<< 23)
}
