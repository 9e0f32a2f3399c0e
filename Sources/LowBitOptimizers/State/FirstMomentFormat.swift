import BlockQuantization

/// How the first moment of Adam, or the buffer of Momentum, is stored.
///
/// ```swift
/// let optimizer = AdamMixed(firstMoment: .dynamic4, secondMoment: .logarithmic2)
/// ```
public struct FirstMomentFormat: Hashable, Sendable {
  private let codebook: Codebook?
  private let scales: Scales

  private enum Scales: Hashable {
    case perBlock(ScaleRule)
    case perRowAndColumn
  }

  private init(_ codebook: Codebook?, _ scales: Scales = .perBlock(.absmax)) {
    self.codebook = codebook
    self.scales = scales
  }

  /// 4 bytes a parameter.
  public static let float32 = FirstMomentFormat(nil)
  /// The signed dynamic map of 256 values: 1 byte a parameter and 4 a block.
  public static let dynamic8 = FirstMomentFormat(.dynamic8)
  /// The signed dynamic exponent map of 16 values: half a byte a parameter and 4 a block.
  public static let dynamic4 = FirstMomentFormat(.dynamic4)
  /// NF4, 16 values at quantiles of a normal distribution: half a byte a parameter and 4 a block.
  public static let normalFloat4 = FirstMomentFormat(.normalFloat4)
  /// The signed dynamic exponent map of 8 values: three bits a parameter and 4 bytes a block.
  public static let dynamic3 = FirstMomentFormat(.dynamic3)
  /// The signed dynamic exponent map of 4 values: two bits a parameter and 4 bytes a block.
  public static let dynamic2 = FirstMomentFormat(.dynamic2)

  /// The same map with another rule for a block's scale.
  public func scaled(by rule: ScaleRule) -> FirstMomentFormat { FirstMomentFormat(codebook, .perBlock(rule)) }

  /// The same map of 4 bits with one scale per row and column where a parameter has a shape: 4 bytes a row and column.
  public var perRowAndColumn: FirstMomentFormat { FirstMomentFormat(codebook, .perRowAndColumn) }

  /// Bits per value.
  public var bits: Int { codebook?.bits ?? 32 }

  func format(blockSize: Int) -> MomentFormat {
    guard let codebook else { return .float32 }
    switch scales {
    case .perBlock(let rule): return .blocks(BlockQuantizer(codebook, blockSize: blockSize, scaleRule: rule))
    case .perRowAndColumn:
      guard codebook.bits == 4 else { fatalError("\(codebook): scales per row and column go with 4-bit codes") }
      return .rankOne(codebook)
    }
  }
}
