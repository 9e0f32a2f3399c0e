package import TileKernels

/// Quantizes second moments in blocks to levels that are equally spaced in ratio: Δ · α^code, without a zero.
///
/// Δ is the block's largest value and α = (x_p / Δ)^(1 / (2^bits − 1)), where x_p is a small quantile of the block, so
/// the levels span from the largest value to x_p. Rounding is stochastic in the logarithm. An exponential moving average
/// that is stored with so few bits would otherwise never move: each step changes it by less than half a level ("Pushing
/// the Limits of Low-Bit Optimizers: A Focus on EMA Dynamics", Xu et al., section 3.1). Memory: `bits / 8 + 8 / blockSize`
/// bytes a value.
///
/// ```swift
/// let quantizer = LogarithmicQuantizer(bits: 2)
/// let restored = quantizer.encode(secondMoments, seed: 1).decode()
/// ```
///
/// The code of v is the number of j in 1…2^bits − 1 with v · α^u ≤ Tⱼ, u uniform in [0, 1); which is
/// ⌊log_α(v / Δ) + u⌋ within 0…2^bits − 1. The levels are T₀ = Δ and Tⱼ = Tⱼ₋₁ · α, each product rounded to float32, with
/// the stored α. Larger codes are smaller values. A value that is a level itself keeps that level whatever u is.
///
/// Special values: a zero, and a value below x_p, takes the smallest level. Zeros do not count in the quantile; a block of
/// zeros or subnormals stores Δ = 0 and α = 1 and decodes to exact zeros. If α would round to 1, all codes are 0. No level
/// is below the smallest normal float. NaN and negative values encode as zero, infinity as the greatest finite value.
public struct LogarithmicQuantizer: Hashable, Sendable {
  /// Bits per code: 2, 3 or 4.
  public let bits: Int
  /// Values per Δ and α, 64 to 4096. The last block of a tensor may be shorter.
  public let blockSize: Int
  /// Which quantile is the smallest level.
  public let quantileRule: QuantileRule

  /// - Precondition: 2, 3 or 4 bits; a block size between 64 and 4096 whose codes fill whole bytes: a multiple of 4, 8 and
  ///   2 at 2, 3 and 4 bits; p between 0 and 1.
  public init(bits: Int, blockSize: Int = 128, quantile: QuantileRule = .exact()) {
    guard (2...4).contains(bits) else { fatalError("logarithmic codes have 2, 3 or 4 bits, not \(bits)") }
    guard (64...4096).contains(blockSize) else { fatalError("block size \(blockSize) is not between 64 and 4096") }
    guard blockSize * bits % 8 == 0 else {
      fatalError("\(bits) bits: a block of \(blockSize) codes does not end at a byte")
    }
    if case .exact(let p) = quantile, !(0...1).contains(p) { fatalError("quantile \(p) is not between 0 and 1") }
    self.bits = bits
    self.blockSize = blockSize
    quantileRule = quantile
  }

  package var codec: LogarithmicCodec { LogarithmicCodec(bits: bits, quantileRule: quantileRule) }

  /// Number of blocks, and so of Δ and of α, of a tensor of `count` values.
  public func blockCount(of count: Int) -> Int { (count + blockSize - 1) / blockSize }

  /// Bytes that the codes of `count` values take.
  public func codeByteCount(of count: Int) -> Int { PackedCodes.byteCount(of: count, bits: bits) }

  /// Bytes that `count` values take: codes, Δ and α.
  public func byteCount(of count: Int) -> Int { codeByteCount(of: count) + 8 * blockCount(of: count) }

  /// Encodes into a new tensor. The random numbers of the rounding follow from the seed alone.
  public func encode(_ values: [Float], seed: UInt64 = 0) -> LogarithmicTensor {
    encode(values, RandomStream(seed: seed, keyHash: 0, moment: 0, step: 0), .current)
  }

  /// Encodes into a new tensor with the caller's random numbers.
  ///
  /// - Precondition: as many numbers as values, each in [0, 1).
  public func encode(_ values: [Float], uniforms: [Float]) -> LogarithmicTensor {
    encode(values, uniforms: uniforms, .current)
  }

  package func encode(_ values: [Float], _ stream: RandomStream, _ kernels: KernelSet) -> LogarithmicTensor {
    encode(values, kernels) { block, _, count, uniforms in
      stream.fill(block: block, count: count, uniforms: uniforms, kernels)
    }
  }

  package func encode(_ values: [Float], uniforms: [Float], _ kernels: KernelSet) -> LogarithmicTensor {
    guard uniforms.count == values.count else {
      fatalError("\(uniforms.count) random numbers for \(values.count) values")
    }
    if let wrong = uniforms.first(where: { !(0..<1).contains($0) }) {
      fatalError("the random number \(wrong) is not in [0, 1)")
    }
    return encode(values, kernels) { _, start, count, memory in
      for i in 0..<count { memory[i] = uniforms[start + i] }
    }
  }

  /// - Parameter fill: writes the random numbers of a block, given its index, first element and length.
  private func encode(
    _ values: [Float], _ kernels: KernelSet, _ fill: @Sendable (Int, Int, Int, UnsafeMutablePointer<Float>) -> Void
  ) -> LogarithmicTensor {
    let tensor = LogarithmicTensor(zeros: values.count, quantizer: self)
    let storage = tensor.storage
    forEachBlock(of: values.count, blockSize: blockSize) { block, start, count in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * count) { memory in
        let copy = memory.baseAddress!
        let uniforms = copy + count
        // NaN is not above 0 either.
        for i in 0..<count { copy[i] = values[start + i] > 0 ? min(values[start + i], .greatestFiniteMagnitude) : 0 }
        fill(block, start, count, uniforms)
        let scale = codec.encode(
          copy, count: count, maximum: kernels.absmax(copy, count), uniforms: uniforms,
          codes: storage.codes.baseAddress! + codec.byteOffset(of: start), kernels)
        storage.scales[block] = scale.scale
        storage.bases[block] = scale.base
      }
    }
    return tensor
  }
}

extension LogarithmicQuantizer: CustomStringConvertible {
  public var description: String {
    let quantile =
      switch quantileRule {
      case .exact(let p): "\(p)-quantile"
      case .fast: "fast quantile"
      }
    return "logarithmic\(bits) in blocks of \(blockSize) with the \(quantile)"
  }
}
