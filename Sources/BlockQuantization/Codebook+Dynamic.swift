// The dynamic tree map of "8-bit Optimizers via Block-wise Quantization" (Dettmers et al., section 1.3), with the table
// that bitsandbytes publishes. Each decade holds twice as many levels as the one below it, and the levels are the
// midpoints of equal cells from 0.1 to 1.

extension Codebook {
  /// The signed dynamic map with 256 values: 127 negative, zero, 127 positive and +1. There is no −1: the lowest value
  /// is −0.99296874. For first moments; one byte a value.
  public static let dynamic8 = Codebook(dynamic: .signed, name: "dynamic8")

  /// The unsigned dynamic map with 256 values, from 0 and 3.25e−7 to 1. For second moments; one byte a value.
  public static let dynamic8Unsigned = Codebook(dynamic: .unsigned, name: "dynamic8Unsigned")

  /// The signed dynamic exponent map with 16 values: 7 negative from −0.8875, zero, 7 positive and +1. For first moments;
  /// half a byte a value ("Memory Efficient Optimizers with 4-bit States", Li, Chen and Zhu, section 2.2).
  public static let dynamic4 = Codebook(signedDynamicExponentOf: 4)

  /// The signed dynamic exponent map with 8 values: ±0.775, ±0.325, ±0.055, zero and +1. For first moments; three eighths
  /// of a byte a value ("Pushing the Limits of Low-Bit Optimizers", Xu et al., section 3.2).
  public static let dynamic3 = Codebook(signedDynamicExponentOf: 3)

  /// The signed dynamic exponent map with 4 values: ±0.55, zero and +1. For first moments; a quarter of a byte a value.
  public static let dynamic2 = Codebook(signedDynamicExponentOf: 2)

  private init(signedDynamicExponentOf bits: Int) {
    self.init(
      name: "dynamic\(bits)", values: DynamicMap(bits: bits, sign: .signed).values, isSigned: true, bits: bits)
  }

  private init(dynamic sign: DynamicMap.Sign, name: String) {
    let map = DynamicMap(bits: 8, sign: sign)
    let encoder = DecadeEncoder(map)
    // Below zero there is no +1, and so no threshold to it. The others are one unit larger than above zero: then a magnitude
    // has the same level with either sign, and one on a threshold is of the level nearer to zero.
    let negative: [Float] = sign == .signed ? encoder.thresholds.dropLast().reversed().map { -$0.nextUp } : []
    let thresholds = negative + encoder.thresholds
    self.init(
      name: name, values: map.values, thresholds: thresholds, isSigned: sign == .signed,
      byteTables: ByteTables(
        values: map.values, thresholds: thresholds, nanCode: encoder.zeroCode, decades: encoder.tables,
        bins: BinEncoder(encoder).tables))
  }
}

/// How the dynamic map is generated, for any number of bits.
struct DynamicMap {
  enum Sign { case signed, unsigned }

  let bits: Int
  let sign: Sign
  /// The positive levels below 1, decade by decade, each ascending.
  let decades: [[Float]]

  init(bits: Int, sign: Sign) {
    self.bits = bits
    self.sign = sign
    let decadeCount = bits - 1
    decades = (0..<decadeCount).map { decade in
      let boundaries = Self.boundaries(cells: sign == .signed ? 1 << decade : 2 << decade)
      let power = Float(Self.powerOfTen(decade - (decadeCount - 1)))
      return zip(boundaries, boundaries.dropFirst()).map { power * (($0 + $1) / 2) }
    }
  }

  /// All values in ascending order. Zero and +1 are always among them.
  var values: [Float] {
    let positive = Array(decades.joined())
    let negative: [Float] = sign == .signed ? positive.reversed().map { -$0 } : []
    return negative + [0] + positive + [1]
  }

  /// 0.1 to 1 in equal cells, rounded as the framework rounded in which the published table was made: from both ends
  /// towards the middle, each with one rounding.
  private static func boundaries(cells: Int) -> [Float] {
    let first: Float = 0.1
    let step = (1 - first) / Float(cells)
    return (0...cells).map { index in
      index < (cells + 1) / 2
        ? first.addingProduct(step, Float(index)) : Float(1).addingProduct(-step, Float(cells - index))
    }
  }

  /// 10^exponent for −7…0, the nearest Double.
  static func powerOfTen(_ exponent: Int) -> Double {
    [1e0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7][-exponent]
  }
}
