/// The base of one block's logarithmic levels.
struct LogarithmicBase {
  /// α, in (0, 1], as it is stored.
  let base: Float
  /// log2 α.
  let log2: Float

  /// Of a block whose values are all the same.
  static let one = LogarithmicBase(quantile: 1, largest: 1, lastCode: 1)

  /// The least factor by which stochastic rounding multiplies values: four units above α. Even after rounding, a value
  /// that is itself a level then stays above the next one, so it keeps its code whatever the random number.
  var leastFactor: Float { min(Float(bitPattern: base.bitPattern + 4), 1) }

  /// α = (quantile / largest)^(1 / (levels − 1)), with a relative error of at most 1e−7.
  ///
  /// The quantile is raised where levels would become subnormal. In Double by additions, multiplications and divisions
  /// alone, in a fixed order: the same bits on every machine.
  ///
  /// - Parameters:
  ///   - quantile: positive.
  ///   - largest: at least the smallest normal float.
  init(quantile: Double, largest: Float, lastCode: Int) {
    // A little above the smallest normal float, for the rounding errors of the levels.
    let quantile = max(quantile, 0x1.0001p-126)
    guard quantile < Double(largest) else {
      base = 1
      log2 = 0
      return
    }
    let log2 = (Self.log2(quantile) - Self.log2(Double(largest))) / Double(lastCode)
    base = Float(Self.exp2(log2))
    self.log2 = Float(log2)
  }

  /// log2 of a positive normal number: its exponent and, with s = (m − 1) / (m + 1), the series of 2·artanh(s) / ln 2.
  static func log2(_ value: Double) -> Double {
    var exponent = Int(value.bitPattern >> 52) - 1023
    var m = Double(bitPattern: value.bitPattern & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000)
    if m > 1.4142135623730951 {
      m *= 0.5
      exponent += 1
    }
    let s = (m - 1) / (m + 1)
    let square = s * s
    var series = 1.0 / 15
    for divisor in [13.0, 11, 9, 7, 5, 3, 1] { series = series * square + 1 / divisor }
    return Double(exponent) + 2.8853900817779268 * s * series
  }

  /// 2^x for −1022 < x < 1023: the power of the nearest integer and, for the rest, the exponential series.
  static func exp2(_ x: Double) -> Double {
    let whole = (x + 0x1.8p52) - 0x1.8p52
    let y = (x - whole) * 0.6931471805599453
    var series = 1.0
    for divisor in [11.0, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1] { series = series * y / divisor + 1 }
    return series * Double(bitPattern: UInt64(Int(whole) + 1023) << 52)
  }
}
