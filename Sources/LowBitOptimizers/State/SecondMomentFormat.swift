import BlockQuantization

/// How Adam's second moment is stored.
///
/// ```swift
/// let optimizer = AdamMixed(firstMoment: .dynamic4, secondMoment: .logarithmic2)
/// ```
public struct SecondMomentFormat: Hashable, Sendable {
  private let kind: Kind

  private enum Kind: Hashable {
    case float32
    case blocks(Codebook)
    case rankOne(Codebook)
    case logarithmic(bits: Int, QuantileRule)
  }

  /// 4 bytes a parameter.
  public static let float32 = SecondMomentFormat(kind: .float32)
  /// The unsigned dynamic map of 256 values: 1 byte a parameter and 4 a block.
  public static let dynamic8 = SecondMomentFormat(kind: .blocks(.dynamic8Unsigned))
  /// The linear map of 16 values without zero, with one scale per row and column where a parameter has a shape, else one
  /// a block: half a byte a parameter and 4 a row and column, or a block.
  public static let linear4 = SecondMomentFormat(kind: .rankOne(.linear4Unsigned))
  /// The linear map of 16 values without zero: half a byte a parameter and 4 a block.
  public static let linear4PerBlock = SecondMomentFormat(kind: .blocks(.linear4Unsigned))
  /// Logarithmic levels of 4 bits, stochastically rounded: half a byte a parameter and 8 a block.
  public static let logarithmic4 = SecondMomentFormat(kind: .logarithmic(bits: 4, .fast))
  /// Logarithmic levels of 3 bits, stochastically rounded: three bits a parameter and 8 bytes a block.
  public static let logarithmic3 = SecondMomentFormat(kind: .logarithmic(bits: 3, .fast))
  /// Logarithmic levels of 2 bits, stochastically rounded: two bits a parameter and 8 bytes a block.
  public static let logarithmic2 = SecondMomentFormat(kind: .logarithmic(bits: 2, .fast))

  /// Logarithmic levels of 2, 3 or 4 bits that reach down to another quantile of each block.
  public static func logarithmic(bits: Int, quantile: QuantileRule) -> SecondMomentFormat {
    SecondMomentFormat(kind: .logarithmic(bits: bits, quantile))
  }

  /// Bits per value.
  public var bits: Int {
    switch kind {
    case .float32: 32
    case .blocks(let codebook), .rankOne(let codebook): codebook.bits
    case .logarithmic(let bits, _): bits
    }
  }

  func format(blockSize: Int) -> MomentFormat {
    switch kind {
    case .float32: .float32
    case .blocks(let codebook): .blocks(BlockQuantizer(codebook, blockSize: blockSize))
    case .rankOne(let codebook): .rankOne(codebook)
    case .logarithmic(let bits, let quantile):
      .logarithmic(LogarithmicQuantizer(bits: bits, blockSize: blockSize, quantile: quantile))
    }
  }
}
