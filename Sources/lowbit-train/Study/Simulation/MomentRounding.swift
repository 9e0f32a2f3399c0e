import LowBitOptimizers

/// Rounds the values of a moment to what a low-bit state would have left of them, without storing codes.
///
/// Slower than the package's quantizers, and free of their limits.
protocol MomentRounding: Sendable {
  /// Rounds in place.
  func round(_ values: UnsafeMutableBufferPointer<Float>, of moment: RoundedMoment)
  /// The bytes that codes and scales would take.
  func byteCount(of shape: [Int]) -> Int
}

/// The moment that is being rounded, for roundings that need more than its values.
struct RoundedMoment {
  let key: ParameterKey
  let shape: [Int]
  /// The updates of the parameter so far, at least 1.
  let step: Int
  let setting: AdamSetting
}

/// Whether a tensor takes vectors with one number a row and one a column: the package's rule.
func takesRowsAndColumns(_ shape: [Int]) -> Bool {
  shape.count >= 2 && 8 * shape.reduce(0, +) <= shape.reduce(1, *)
}
