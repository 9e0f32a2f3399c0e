import LowBitOptimizers

/// Rounds the values of a tensor to what a quantizer would have left of them, without storing codes.
///
/// Slower than the package's quantizers, and free of their limits: any table, and any number of values per scale.
struct MomentRounding: Sendable {
  /// How many values share a scale.
  enum Scope: Equatable, Sendable {
    case wholeTensor
    case blocks(Int)
  }

  /// What becomes of a positive value that is nearer to zero than to the smallest positive level of an unsigned table.
  private enum SmallValues: Equatable, Sendable {
    /// Zero, as in bitsandbytes.
    case toZero
    /// The smallest positive level, as in this package.
    case kept
  }

  let scope: Scope
  private let values: [Float]
  private let thresholds: [Float]
  /// The code of the least value of each group of floats with equal upper bits: a search starts there.
  private let firstCodes: [UInt8]
  private let smallValues: SmallValues

  /// Floats with the same upper bits (sign, exponent, 6 bits of the fraction) differ by less than 2 %.
  private static let keyShift: UInt32 = 17

  /// A table with the published rounding.
  ///
  /// - Parameter values: ascending, at most 256.
  init(values: [Float], scope: Scope) {
    let thresholds = zip(values, values.dropFirst()).map { ($0 + $1) * 0.5 }
    self.init(values: values, thresholds: thresholds, scope: scope, smallValues: .toZero)
  }

  /// The table of `codebook`, with the rounding of this package.
  init(_ codebook: Codebook, scope: Scope) {
    self.init(
      values: codebook.values, thresholds: codebook.thresholds, scope: scope,
      smallValues: codebook.isSigned ? .toZero : .kept)
  }

  private init(values: [Float], thresholds: [Float], scope: Scope, smallValues: SmallValues) {
    self.scope = scope
    self.smallValues = smallValues
    self.values = values
    self.thresholds = thresholds
    firstCodes = (0..<(UInt32(1) << (32 - Self.keyShift))).map { key in
      let bits = key << Self.keyShift
      // Of negative floats, the one with all lower bits set is the least.
      let least = Float(bitPattern: bits >> 31 == 0 ? bits : bits | (1 << Self.keyShift - 1))
      return UInt8(least.isNaN ? 0 : thresholds.count { least > $0 })
    }
  }

  /// Rounds in place.
  func round(_ tensor: UnsafeMutableBufferPointer<Float>) {
    switch scope {
    case .wholeTensor: roundBlock(tensor)
    case .blocks(let size):
      for start in stride(from: 0, to: tensor.count, by: size) {
        roundBlock(UnsafeMutableBufferPointer(rebasing: tensor[start..<min(start + size, tensor.count)]))
      }
    }
  }

  private func roundBlock(_ block: UnsafeMutableBufferPointer<Float>) {
    var scale: Float = 0
    for value in block { scale = max(scale, abs(value)) }
    guard scale >= .leastNormalMagnitude, scale < .infinity else {
      // A run whose moments are infinite is over anyway.
      if scale < .leastNormalMagnitude { block.update(repeating: 0) }
      return
    }
    let reciprocal = 1 / scale
    values.withUnsafeBufferPointer { values in
      thresholds.withUnsafeBufferPointer { thresholds in
        firstCodes.withUnsafeBufferPointer { firstCodes in
          for index in block.indices {
            let value = block[index] * reciprocal
            var code = Int(firstCodes[Int(value.bitPattern >> Self.keyShift)])
            while code < thresholds.count, value > thresholds[code] { code += 1 }
            // The threshold of zero does not catch what became zero by being divided by the scale.
            if code == 0, smallValues == .kept, block[index] > 0 { code = 1 }
            block[index] = values[code] * scale
          }
        }
      }
    }
  }
}
