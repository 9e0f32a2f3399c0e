/// Adam with a format of its own for each moment.
///
/// With ``SecondMomentFormat/factored`` the rule's v is what the means of rows and columns multiply to, both with this step's
/// squares: R ← β2·R + (1 − β2) · (mean of g² over the columns), C likewise over the rows, v = R ⊗ C / mean(R). A block that
/// is skipped for a gradient that is not finite is no part of these means.
///
/// ```swift
/// // 0.844 bytes a parameter: 4 bits for the first moment, 2 for the second.
/// let optimizer = AdamMixed(firstMoment: .dynamic4, secondMoment: .logarithmic2, learningRate: 1e-3)
/// ```
public final class AdamMixed: AdamOptimizer {
  /// - Parameters:
  ///   - firstMoment: how the mean of gradients is stored.
  ///   - secondMoment: how the mean of squared gradients is stored.
  ///   - learningRate: this and the others are those of ``AdamOptimizer``.
  public init(
    firstMoment: FirstMomentFormat, secondMoment: SecondMomentFormat, learningRate: Float = 1e-3,
    beta1: Float? = nil, beta2: Float = 0.999, epsilon: Float = 1e-8, weightDecay: Float = 0,
    biasCorrection: Bool = true, blockSize: Int? = nil
  ) {
    let formats = StateFormats(firstMoment, secondMoment, blockSize: blockSize)
    let rule = AdamRule(
      beta1: beta1 ?? formats.defaultMomentum, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay,
      decay: Self.decay, biasCorrection: biasCorrection)
    super.init(learningRate: learningRate, rule: rule, formats: formats)
  }

  /// Goes on where an Adam of any precision is; see ``AdamOptimizer/init(converting:sizeRule:blockSize:)``.
  public convenience init(
    converting source: AdamOptimizer, firstMoment: FirstMomentFormat, secondMoment: SecondMomentFormat,
    sizeRule: SizeRule? = nil, blockSize: Int? = nil
  ) {
    self.init(firstMoment: firstMoment, secondMoment: secondMoment, blockSize: blockSize)
    self.sizeRule = sizeRule ?? source.sizeRule
    takeOver(source)
  }
}

/// AdamW with a format of its own for each moment.
///
/// ```swift
/// // 0.844 bytes a parameter: 4 bits for the first moment, 2 for the second.
/// let optimizer = AdamWMixed(firstMoment: .dynamic4, secondMoment: .logarithmic2, learningRate: 1e-3)
/// ```
public final class AdamWMixed: AdamWOptimizer {
  /// - Parameters:
  ///   - firstMoment: how the mean of gradients is stored.
  ///   - secondMoment: how the mean of squared gradients is stored.
  ///   - learningRate: this and the others are those of ``AdamWOptimizer``.
  public init(
    firstMoment: FirstMomentFormat, secondMoment: SecondMomentFormat, learningRate: Float = 1e-3,
    beta1: Float? = nil, beta2: Float = 0.999, epsilon: Float = 1e-8, weightDecay: Float = 0.01,
    biasCorrection: Bool = true, blockSize: Int? = nil
  ) {
    let formats = StateFormats(firstMoment, secondMoment, blockSize: blockSize)
    let rule = AdamRule(
      beta1: beta1 ?? formats.defaultMomentum, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay,
      decay: Self.decay, biasCorrection: biasCorrection)
    super.init(learningRate: learningRate, rule: rule, formats: formats)
  }

  /// Goes on where an AdamW of any precision is; see ``AdamOptimizer/init(converting:sizeRule:blockSize:)``.
  public convenience init(
    converting source: AdamWOptimizer, firstMoment: FirstMomentFormat, secondMoment: SecondMomentFormat,
    sizeRule: SizeRule? = nil, blockSize: Int? = nil
  ) {
    self.init(firstMoment: firstMoment, secondMoment: secondMoment, blockSize: blockSize)
    self.sizeRule = sizeRule ?? source.sizeRule
    takeOver(source)
  }
}
