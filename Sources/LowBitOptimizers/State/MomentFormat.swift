import BlockQuantization

/// How one moment of a parameter is stored.
enum MomentFormat: Hashable, Sendable {
  case float32
  case blocks(BlockQuantizer)
}

extension MomentFormat: CustomStringConvertible {
  var description: String {
    switch self {
    case .float32: "float32"
    case .blocks(let quantizer): "\(quantizer)"
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

  static func float32(moments: Int, blockSize: Int? = nil) -> StateFormats {
    // Through a quantizer, which checks the size.
    let blockSize = blockSize.map { BlockQuantizer(.dynamic8, blockSize: $0).blockSize }
    return StateFormats(
      first: .float32, second: moments == 2 ? .float32 : nil, blockSize: blockSize ?? BlockQuantizer.dynamic8.blockSize)
  }

  /// 8 bits: dynamic maps, 1 + 4/256 bytes a moment and parameter.
  static func dynamic8(moments: Int, blockSize: Int?) -> StateFormats {
    let first = BlockQuantizer(.dynamic8, blockSize: blockSize ?? BlockQuantizer.dynamic8.blockSize)
    let second = BlockQuantizer(.dynamic8Unsigned, blockSize: first.blockSize)
    return StateFormats(
      first: .blocks(first), second: moments == 2 ? .blocks(second) : nil, blockSize: first.blockSize)
  }
}
