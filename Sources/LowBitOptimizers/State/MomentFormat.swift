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

  /// The same format with blocks of another size, if it has any.
  func inBlocks(of blockSize: Int) -> MomentFormat {
    guard case .blocks(let quantizer) = self else { return self }
    return .blocks(BlockQuantizer(quantizer.codebook, blockSize: blockSize, scaleRule: quantizer.scaleRule))
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
  /// Of a parameter whose second moment has scales per row and column; nil if it is no other.
  var matrixBlockSize: Int?

  var is32Bit: Bool { first == .float32 && (second ?? .float32) == .float32 }

  /// The same moments in 32 bits.
  var in32Bit: StateFormats {
    StateFormats(first: .float32, second: second.map { _ in .float32 }, blockSize: blockSize)
  }

  /// The formats of a parameter of this shape.
  func fitting(_ shape: [Int]?) -> StateFormats {
    let second = second?.fitting(shape, blockSize: blockSize)
    let first = first.fitting(shape, blockSize: blockSize)
    guard let matrixBlockSize, second?.sharesScales == true else {
      return StateFormats(first: first, second: second, blockSize: blockSize)
    }
    return StateFormats(first: first.inBlocks(of: matrixBlockSize), second: second, blockSize: matrixBlockSize)
  }

  var sharesScales: Bool { first.sharesScales || second?.sharesScales == true }
}

extension StateFormats {
  /// - Parameter chosenSize: nil for the formats' own: 128 if a moment has fewer than 8 bits, else 256. Beside scales per
  ///   row and column 256 too: in 4 bits the scales of a matrix then take less than 0.03 bytes a parameter.
  init(_ first: FirstMomentFormat, _ second: SecondMomentFormat? = nil, blockSize chosenSize: Int?) {
    let bits = min(first.bits, second?.bits ?? 32)
    // Through a quantizer, which checks the size.
    let blockSize = BlockQuantizer(.dynamic8, blockSize: chosenSize ?? (bits < 8 ? 128 : 256)).blockSize
    self.init(
      first: first.format(blockSize: blockSize), second: second?.format(blockSize: blockSize), blockSize: blockSize)
    if chosenSize == nil && second?.bits == 4, case .rankOne? = self.second { matrixBlockSize = 256 }
  }
}
