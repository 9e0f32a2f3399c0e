import BlockQuantization

/// How one moment of a parameter is stored.
enum MomentFormat: Hashable, Sendable {
  case float32
  case blocks(BlockQuantizer)
  /// One scale vector a dimension. What an optimizer asks for: a parameter without a fit shape takes blocks.
  case rankOne(Codebook)
  /// Logarithmic levels with stochastic rounding.
  case logarithmic(LogarithmicQuantizer)
  /// Means of rows and columns. What an optimizer asks for: a parameter without a fit shape takes blocks.
  case factored
}

extension MomentFormat {
  /// The format of a parameter of this shape.
  func fitting(_ shape: [Int]?, blockSize: Int) -> MomentFormat {
    if self == .factored {
      let isFit = MissingRowAndColumnScales(ofMatricesIn: shape) == nil
      return isFit ? self : .blocks(BlockQuantizer(.linear4Unsigned, blockSize: blockSize))
    }
    guard case .rankOne(let codebook) = self else { return self }
    return MissingRowAndColumnScales(of: shape) == nil ? self : .blocks(BlockQuantizer(codebook, blockSize: blockSize))
  }

  /// Whether one more pass must find scales, or means, that many blocks share, before the first block can be updated.
  var sharesScales: Bool {
    switch self {
    case .rankOne, .factored: true
    case .float32, .blocks, .logarithmic: false
    }
  }
}

extension MomentFormat: CustomStringConvertible {
  var description: String {
    switch self {
    case .float32: "float32"
    case .blocks(let quantizer): "\(quantizer)"
    case .rankOne(let codebook): "\(codebook) with scales per row and column"
    case .logarithmic(let quantizer): "\(quantizer)"
    case .factored: "means of rows and columns"
    }
  }
}

/// The formats of an optimizer's moments: two for Adam, one for Momentum.
struct StateFormats: Hashable, Sendable {
  var first: MomentFormat
  var second: MomentFormat?
  /// Elements that stand or fall together: a block with a gradient that is not finite is skipped as a whole.
  var blockSize: Int

  var is32Bit: Bool { first == .float32 && (second ?? .float32) == .float32 }

  /// The same moments in 32 bits.
  var in32Bit: StateFormats {
    StateFormats(first: .float32, second: second.map { _ in .float32 }, blockSize: blockSize)
  }

  /// The formats of a parameter of this shape.
  func fitting(_ shape: [Int]?) -> StateFormats {
    StateFormats(
      first: first.fitting(shape, blockSize: blockSize), second: second?.fitting(shape, blockSize: blockSize),
      blockSize: blockSize)
  }

  var sharesScales: Bool { first.sharesScales || second?.sharesScales == true }
}

extension StateFormats {
  /// - Parameter blockSize: nil for the formats' own: 128 if a moment has fewer than 8 bits, else 256.
  init(_ first: FirstMomentFormat, _ second: SecondMomentFormat? = nil, blockSize: Int?) {
    let bits = min(first.bits, second?.bits ?? 32)
    // Through a quantizer, which checks the size.
    let blockSize = BlockQuantizer(.dynamic8, blockSize: blockSize ?? (bits < 8 ? 128 : 256)).blockSize
    self.init(
      first: first.format(blockSize: blockSize), second: second?.format(blockSize: blockSize), blockSize: blockSize)
  }
}
