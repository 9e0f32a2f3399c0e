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
    case factored
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

  /// The means of rows and of columns alone, in float32, where a parameter has a shape of two or more dimensions that is not
  /// too narrow, else ``linear4PerBlock``: 4 bytes a row and column, 0.008 bytes a parameter for 1024 × 1024. The values are
  /// what the means multiply to: see ``FactoredMoment``.
  ///
  /// The formula is the paper's, and so is its weakness: where one gradient is so large that its square outweighs those of
  /// all the rest of its matrix, the products elsewhere are too small, and the steps there too long. Clip such gradients.
  ///
  /// ```swift
  /// let optimizer = AdamMixed(firstMoment: .normalFloat4, secondMoment: .factored)
  /// ```
  public static let factored = SecondMomentFormat(kind: .factored)

  /// Logarithmic levels of 2, 3 or 4 bits that reach down to another quantile of each block.
  public static func logarithmic(bits: Int, quantile: QuantileRule) -> SecondMomentFormat {
    SecondMomentFormat(kind: .logarithmic(bits: bits, quantile))
  }

  /// Bits per value; of ``factored``, those of parameters without rows and columns.
  public var bits: Int {
    switch kind {
    case .float32: 32
    case .blocks(let codebook), .rankOne(let codebook): codebook.bits
    case .logarithmic(let bits, _): bits
    case .factored: 4
    }
  }

  func format(blockSize: Int) -> MomentFormat {
    switch kind {
    case .float32: return .float32
    case .blocks(let codebook): return .blocks(BlockQuantizer(codebook, blockSize: blockSize))
    case .rankOne(let codebook): return .rankOne(codebook)
    case .logarithmic(let bits, let quantile):
      return .logarithmic(LogarithmicQuantizer(bits: bits, blockSize: blockSize, quantile: quantile))
    case .factored:
      // A size that parameters in blocks could not have stops now, and not at the first of them.
      _ = BlockQuantizer(.linear4Unsigned, blockSize: blockSize)
      return .factored
    }
  }
}
