package import TileKernels

/// What a block of logarithmic codes stores beside them.
package struct LogarithmicScale {
  /// Δ: the block's largest value.
  package var scale: Float
  /// α: the ratio of neighbouring levels, in (0, 1].
  package var base: Float

  package init(scale: Float, base: Float) {
    self.scale = scale
    self.base = base
  }
}

/// A logarithmic quantizer as plain numbers, so that inner loops count no references.
package struct LogarithmicCodec {
  /// Bits per code.
  package let bits: Int
  package let quantileRule: QuantileRule

  /// The code of the smallest level.
  private var lastCode: Int { 1 << bits - 1 }

  /// The byte at which the codes of the element `index`, the first of a block, begin.
  package func byteOffset(of index: Int) -> Int { index * bits / 8 }

  /// Encodes one block, and returns what to store beside the codes. The values are not negative; they are overwritten if
  /// some are not finite.
  ///
  /// - Parameters:
  ///   - maximum: the largest value; infinity or NaN if any value is that.
  ///   - uniforms: `count` numbers in [0, 1).
  package func encode(
    _ values: UnsafeMutablePointer<Float>, count: Int, maximum: Float, uniforms: UnsafePointer<Float>,
    codes: UnsafeMutablePointer<UInt8>, _ kernels: KernelSet
  ) -> LogarithmicScale {
    guard maximum < .infinity else {
      saturateStage(values, count)
      return encodeFinite(values, count: count, kernels.absmax(values, count), uniforms, codes, kernels)
    }
    return encodeFinite(values, count: count, maximum, uniforms, codes, kernels)
  }

  private func encodeFinite(
    _ values: UnsafePointer<Float>, count: Int, _ maximum: Float, _ uniforms: UnsafePointer<Float>,
    _ codes: UnsafeMutablePointer<UInt8>, _ kernels: KernelSet
  ) -> LogarithmicScale {
    guard maximum >= .leastNormalMagnitude else { return storeOneLevel(0, count, codes) }
    let base = LogarithmicBase(
      quantile: quantileRule.quantile(of: values, count: count, kernels), largest: maximum, lastCode: lastCode)
    guard base.base < 1 else { return storeOneLevel(maximum, count, codes) }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 16) { thresholds in
      thresholds.initialize(repeating: .infinity)
      var level = maximum
      for code in 1...lastCode {
        level *= base.base
        thresholds[lastCode - code] = level
      }
      let levels = LogarithmicLevels(
        bits: bits, log2Base: base.log2, leastFactor: base.leastFactor, thresholds: thresholds.baseAddress!)
      kernels.encodeLogarithmic(values, uniforms, count, levels, codes)
    }
    return LogarithmicScale(scale: maximum, base: base.base)
  }

  /// Code 0 everywhere.
  private func storeOneLevel(_ level: Float, _ count: Int, _ codes: UnsafeMutablePointer<UInt8>) -> LogarithmicScale {
    for byte in 0..<PackedCodes.byteCount(of: count, bits: bits) { codes[byte] = 0 }
    return LogarithmicScale(scale: level, base: 1)
  }

  /// Level 0 is the scale, and each further level the one before it times the base, rounded to float32.
  package func decode(
    _ codes: UnsafePointer<UInt8>, count: Int, scale: Float, base: Float, into values: UnsafeMutablePointer<Float>,
    _ kernels: KernelSet
  ) {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 16) { levels in
      levels.initialize(repeating: 0)
      var level = scale
      for code in 0...lastCode {
        levels[code] = level
        level *= base
      }
      kernels.decodeLevels(codes, count, bits, levels.baseAddress!, values)
    }
  }
}
