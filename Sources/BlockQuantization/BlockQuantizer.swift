/// Quantizes values in blocks: one code per value, one float32 scale (the largest magnitude) per block.
///
/// A scale per small block keeps an outlier's harm inside its block ("8-bit Optimizers via Block-wise Quantization",
/// Dettmers et al., section 2.1). Memory: `bits / 8 + 4 / blockSize` bytes a value.
///
/// ```swift
/// let quantized = BlockQuantizer.dynamic8.encode(values)
/// let restored = quantized.decode()
/// ```
///
/// Special values: a block that holds only zeros or subnormals stores scale 0 and decodes to exact zeros; NaN encodes as
/// zero, and an infinity as the greatest finite value of its sign. With an unsigned codebook, values are taken to be
/// non-negative, and a positive one never decodes to zero unless its whole block is below 1.2e−38.
///
/// Codes of fewer than 8 bits share bytes, little end first: element i begins at bit i · bits. So of two 4-bit codes the
/// even element is in the low nibble, and eight 3-bit codes take three bytes. The bits after the last code are zero.
public struct BlockQuantizer: Hashable, Sendable {
  /// What the codes stand for.
  public let codebook: Codebook
  /// Values per scale, 64 to 4096. The last block of a tensor may be shorter.
  public let blockSize: Int
  /// How a block's scale follows from its values.
  public let scaleRule: ScaleRule

  /// 8 bits, signed, blocks of 256: 1 + 4/256 bytes a value. For gradients and first moments.
  public static let dynamic8 = BlockQuantizer(.dynamic8)
  /// 8 bits, non-negative, blocks of 256: 1 + 4/256 bytes a value. For second moments.
  public static let dynamic8Unsigned = BlockQuantizer(.dynamic8Unsigned)

  /// 4 bits, signed, blocks of 128: 1/2 + 4/128 bytes a value. For first moments.
  public static let dynamic4 = BlockQuantizer(.dynamic4, blockSize: 128)
  /// 4 bits, signed, NF4, blocks of 128: 1/2 + 4/128 bytes a value. For first moments.
  public static let normalFloat4 = BlockQuantizer(.normalFloat4, blockSize: 128)
  /// 3 bits, signed, blocks of 128: 3/8 + 4/128 bytes a value. For first moments.
  public static let dynamic3 = BlockQuantizer(.dynamic3, blockSize: 128)
  /// 2 bits, signed, blocks of 128: 1/4 + 4/128 bytes a value. For first moments.
  public static let dynamic2 = BlockQuantizer(.dynamic2, blockSize: 128)
  /// 4 bits, positive, blocks of 128: 1/2 + 4/128 bytes a value. For second moments.
  public static let linear4Unsigned = BlockQuantizer(.linear4Unsigned, blockSize: 128)

  /// - Precondition: `blockSize` is between 64 and 4096, and its codes fill whole bytes: a multiple of 2, 8 and 4 at 4,
  ///   3 and 2 bits; an unsigned codebook has no signed extremes.
  public init(_ codebook: Codebook, blockSize: Int = 256, scaleRule: ScaleRule = .absmax) {
    guard (64...4096).contains(blockSize) else { fatalError("block size \(blockSize) is not between 64 and 4096") }
    guard blockSize * codebook.bits % 8 == 0 else {
      fatalError("\(codebook): a block of \(blockSize) codes does not end at a byte")
    }
    guard codebook.isSigned || scaleRule == .absmax else { fatalError("\(codebook) has no signed extremes") }
    self.codebook = codebook
    self.blockSize = blockSize
    self.scaleRule = scaleRule
  }

  package var codec: BlockCodec {
    BlockCodec(map: codebook.tables.map, isSigned: codebook.isSigned, scaleKind: scaleRule.kind)
  }

  /// Number of blocks, and so of scales, of a tensor of `count` values.
  public func blockCount(of count: Int) -> Int { (count + blockSize - 1) / blockSize }

  /// Bytes that the codes of `count` values take.
  public func codeByteCount(of count: Int) -> Int { PackedCodes.byteCount(of: count, bits: codebook.bits) }

  /// Bytes that `count` values take: codes and scales.
  public func byteCount(of count: Int) -> Int { codeByteCount(of: count) + 4 * blockCount(of: count) }
}

extension BlockQuantizer: CustomStringConvertible {
  public var description: String {
    "\(codebook) in blocks of \(blockSize)" + (scaleRule == .absmax ? "" : ", scaled by the signed extreme")
  }
}
