/// The momentum that fits a number of bits ("Pushing the Limits of Low-Bit Optimizers: A Focus on EMA Dynamics", Xu et al.,
/// section 3.3).
///
/// Storing a first moment with few bits adds noise to the gradient: with a variance of (β / (1 − β) · r · Δ)², r being half
/// the distance of the levels (theorem 3.6). No map cures that; β must fall with the bits, so that β / (1 − β) · r stays
/// what it is in a setup that is known to train well.
///
/// ```swift
/// PrecisionSpecificMomentum.loose.value(bits: 2)         // 0.527 in place of 0.9
/// ```
public enum PrecisionSpecificMomentum: Sendable {
  /// No more noise than 8 bits have with the usual momentum.
  case strict
  /// No more noise than 5 bits have with the usual momentum.
  case loose

  /// The momentum for a first moment of so many bits, in place of `momentum` for one of 32.
  ///
  /// For 0.9 these are the published values. For others β / (1 − β) falls by the same factor.
  public func value(bits: Int, insteadOf momentum: Float = 0.9) -> Float {
    let published: Float
    switch (self, bits) {
    case (.strict, 4): published = 0.350
    case (.strict, 3): published = 0.211
    case (.strict, 2): published = 0.116
    case (.loose, 4): published = 0.820
    case (.loose, 3): published = 0.694
    case (.loose, 2): published = 0.527
    default: return momentum
    }
    if momentum == 0.9 { return published }
    let factor = published / (1 - published) * (0.1 / 0.9)
    let odds = momentum / (1 - momentum) * factor
    return odds / (1 + odds)
  }
}

extension StateFormats {
  /// β1 or μ where the program gives none.
  var defaultMomentum: Float {
    let bits = first.codebook?.bits ?? 32
    var isLogarithmic = false
    if case .logarithmic? = second { isLogarithmic = true }
    return bits < 4 || isLogarithmic ? PrecisionSpecificMomentum.loose.value(bits: bits) : 0.9
  }
}
