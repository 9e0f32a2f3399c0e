/// The base of one block's logarithmic levels.
public struct LogarithmicBase {
  /// α, in (0, 1], as it is stored.
  public let base: Float
  /// log2 α.
  public let log2: Float

  /// The least factor by which stochastic rounding multiplies values: four units above α. Even after rounding, a value
  /// that is itself a level then stays above the next one, so it keeps its code whatever the random number.
  @inlinable @inline(__always)
  public var leastFactor: Float { Self.leastFactor(base) }

  @inlinable @inline(__always)
  public static func leastFactor(_ base: Float) -> Float { min(Float(bitPattern: base.bitPattern &+ 4), 1) }

  /// α = (quantile / largest)^(1 / (levels − 1)), with a relative error of at most 1e−7.
  ///
  /// The quantile is raised where levels would become subnormal. In Double by additions, multiplications and divisions
  /// alone, in a fixed order: the same bits on every machine.
  ///
  /// - Parameters:
  ///   - quantile: positive.
  ///   - largest: at least the smallest normal float.
  @inlinable @inline(__always)
  public init(quantile: Double, largest: Float, lastCode: Int) {
    // A little above the smallest normal float, for the rounding errors of the levels.
    let quantile = max(quantile, 0x1.0001p-126)
    // Chosen at the end, so that a loop over blocks has no branch.
    let isBelow = quantile < Double(largest)
    let log2 = Self.log2(quantile, over: Double(largest)) * (1 / Double(lastCode))
    base = isBelow ? Float(Self.exp2(log2)) : 1
    self.log2 = isBelow ? Float(log2) : 0
  }

  // Polynomials, evaluated in pairs, which depend on each other less than one coefficient after the other: the encoder
  // waits for the result.

  /// log2(a / b) of positive normal numbers, with an absolute error of 4e−9: the difference of the exponents, and of the
  /// mantissas' logarithms by a polynomial for 2 · artanh(s) / ln 2 with s = (a − b) / (a + b).
  @inlinable @inline(__always)
  public static func log2(_ a: Double, over b: Double) -> Double {
    let exponent = Int(truncatingIfNeeded: a.bitPattern &>> 52) &- Int(truncatingIfNeeded: b.bitPattern &>> 52)
    let (a, b) = (mantissa(a), mantissa(b))
    let s = (a - b) / (a + b)
    let z = s * s
    let low = 2.885390093207322 + 0.9617916156371933 * z
    let middle = 0.577437403432612 + 0.4033861319942692 * z
    let square = z * z
    return Double(exponent) + s * (low + square * (middle + square * 0.40652785075660114))
  }

  /// In 1..<2.
  @inlinable @inline(__always)
  static func mantissa(_ value: Double) -> Double {
    Double(bitPattern: value.bitPattern & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000)
  }

  /// 2^x for −1022 < x < 1023, with a relative error of 2e−9: the power of the nearest integer, and a polynomial for the
  /// rest.
  @inlinable @inline(__always)
  static func exp2(_ x: Double) -> Double {
    // Adding 1.5 · 2^52 rounds to the nearest integer, which then is in the lowest bits of the sum.
    let shifted = x + 0x1.8p52
    let f = x - (shifted - 0x1.8p52)
    let low = 1 + 0.6931472028551982 * f
    let middle = 0.2402264791361709 + 0.05550332470810987 * f
    let high = 0.009618437358154007 + 0.001339887454637971 * f
    let square = f * f
    let p = low + square * (middle + square * (high + square * 0.0001535336206107355))
    return Double(bitPattern: p.bitPattern &+ shifted.bitPattern &<< 52)
  }
}
