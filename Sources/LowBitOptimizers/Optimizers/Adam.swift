import BlockQuantization

/// What all Adam optimizers share: hyperparameters, initializer and rule. Use ``Adam32``, ``Adam8bit`` and so on.
///
/// The rule, with the fresh moments that are quantized only afterwards ("Adam", Kingma and Ba, algorithm 1):
///
///     g ← g + λ·p
///     m ← β1·m + (1 − β1)·g
///     v ← β2·v + (1 − β2)·g²
///     p ← p − lr / (1 − β1^t) · m / (√v / √(1 − β2^t) + ε)
///
/// t counts the updates of that parameter, from 1. Weight decay λ is added to the gradient, as in PyTorch's Adam; for
/// decoupled decay use ``AdamW32`` or ``AdamW8bit``.
public class AdamOptimizer: LowBitOptimizer {
  /// The state's formats for the optimizer's precision.
  class func formats(blockSize: Int?) -> StateFormats {
    fatalError("\(Self.self) has no precision: use Adam32 or Adam8bit")
  }
  class var decay: AdamRule.Decay { .coupled }

  /// - Parameters:
  ///   - learningRate: can be changed between steps.
  ///   - beta1: decay of the first moment, 0 up to but not including 1; nil for the precision's own: 0.9, and less below 4
  ///     bits and beside a logarithmic second moment, see ``PrecisionSpecificMomentum``.
  ///   - beta2: decay of the second moment, 0 up to but not including 1.
  ///   - epsilon: added to the corrected root of the second moment; at least 1e-30, because with 0 a parameter that has had
  ///     no gradient would become 0/0.
  ///   - weightDecay: λ.
  ///   - biasCorrection: false leaves out the divisions by 1 − β^t, as MLX does by default.
  ///   - blockSize: values per scale, 64 to 4096; nil for the precision's own: 256 at 8 bits and beside 4-bit
  ///     second moments with scales per row and column, else 128. In a 32-bit optimizer it only says how many elements a
  ///     gradient that is not finite takes with it.
  public init(
    learningRate: Float = 1e-3, beta1: Float? = nil, beta2: Float = 0.999, epsilon: Float = 1e-8,
    weightDecay: Float = 0, biasCorrection: Bool = true, blockSize: Int? = nil
  ) {
    let formats = Self.formats(blockSize: blockSize)
    let rule = AdamRule(
      beta1: beta1 ?? formats.defaultMomentum, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay,
      decay: Self.decay, biasCorrection: biasCorrection)
    super.init(learningRate: learningRate, rule: rule, formats: formats)
  }

  /// For tests that must repeat a peer's exact constants.
  init(learningRate: Float, rule: AdamRule, blockSize: Int? = nil) {
    super.init(learningRate: learningRate, rule: rule, formats: Self.formats(blockSize: blockSize))
  }

  init(learningRate: Float, rule: AdamRule, formats: StateFormats) {
    super.init(learningRate: learningRate, rule: rule, formats: formats)
  }
}

extension AdamRule {
  /// With hyperparameters as a program gives them, checked.
  init(
    beta1: Float, beta2: Float, epsilon: Float, weightDecay: Float, decay: Decay, biasCorrection: Bool
  ) {
    checkHyperparameter("beta1", beta1, in: 0...Float(1).nextDown)
    checkHyperparameter("beta2", beta2, in: 0...Float(1).nextDown)
    checkHyperparameter("epsilon", epsilon, in: 1e-30 ... .greatestFiniteMagnitude)
    checkHyperparameter("weightDecay", weightDecay, in: 0 ... .greatestFiniteMagnitude)
    self.init(
      beta1: Double(decimal: beta1), beta2: Double(decimal: beta2), epsilon: Double(decimal: epsilon),
      weightDecay: Double(decimal: weightDecay), decay: decay, biasCorrection: biasCorrection)
  }
}

/// Adam with float32 state: 8 bytes a parameter.
///
/// ```swift
/// let optimizer = Adam32(learningRate: 1e-3)
/// optimizer.update("layer1.weight", &weights, along: gradient)
/// ```
public final class Adam32: AdamOptimizer {
  override class func formats(blockSize: Int?) -> StateFormats {
    StateFormats(.float32, .float32, blockSize: blockSize)
  }
}

/// Adam with 8-bit state: 2 + 8/256 bytes a parameter.
///
/// Both moments are stored block-wise with dynamic maps ("8-bit Optimizers via Block-wise Quantization", Dettmers et
/// al.). A second moment that is not zero never decodes to zero (unless its whole block is below 1.2e−38), so no element
/// takes a runaway step because a neighbour is large.
///
/// ```swift
/// let optimizer = Adam8bit(learningRate: 1e-3)          // was Adam32(learningRate: 1e-3)
/// optimizer.update("layer1.weight", &weights, along: gradient)
/// ```
public final class Adam8bit: AdamOptimizer {
  override class func formats(blockSize: Int?) -> StateFormats {
    StateFormats(.dynamic8, .dynamic8, blockSize: blockSize)
  }
}

/// Adam with 4-bit state: 1.023 bytes a parameter for a 1024 × 1024 matrix, 1.0625 for a vector.
///
/// The second moment has the linear map without zero: scaled by row and column where the caller names a shape, in blocks
/// of 128 where it does not ("Memory Efficient Optimizers with 4-bit States", Li, Chen and Zhu, section 4). The first has
/// the NormalFloat map in blocks of 256 and 128, which trains better here than that paper's dynamic exponent map in blocks
/// of 128; that is `AdamMixed(firstMoment: .dynamic4, secondMoment: .linear4, blockSize: 128)`.
///
/// ```swift
/// let optimizer = Adam4bit(learningRate: 1e-3)          // was Adam32(learningRate: 1e-3)
/// optimizer.update("layer1.weight", &weights, along: gradient, shape: [512, 128])
/// ```
public final class Adam4bit: AdamOptimizer {
  override class func formats(blockSize: Int?) -> StateFormats {
    StateFormats(.normalFloat4, .linear4, blockSize: blockSize)
  }
}

/// Adam with 3-bit state: 0.844 bytes a parameter.
///
/// The first moment has the signed dynamic exponent map of 8 values, the second 8 logarithmic levels with stochastic
/// rounding, both in blocks of 128 ("Pushing the Limits of Low-Bit Optimizers: A Focus on EMA Dynamics", Xu et al.).
/// β1 is 0.694 by default: see ``PrecisionSpecificMomentum``.
///
/// ```swift
/// let optimizer = Adam3bit(learningRate: 1e-3)          // was Adam32(learningRate: 1e-3)
/// optimizer.update("layer1.weight", &weights, along: gradient)
/// ```
public final class Adam3bit: AdamOptimizer {
  override class func formats(blockSize: Int?) -> StateFormats {
    StateFormats(.dynamic3, .logarithmic3, blockSize: blockSize)
  }
}

/// Adam with 2-bit state: 0.594 bytes a parameter.
///
/// The first moment has the signed dynamic exponent map of 4 values, the second 4 logarithmic levels with stochastic
/// rounding, both in blocks of 128 ("Pushing the Limits of Low-Bit Optimizers: A Focus on EMA Dynamics", Xu et al.).
/// β1 is 0.527 by default: see ``PrecisionSpecificMomentum``.
///
/// ```swift
/// let optimizer = Adam2bit(learningRate: 1e-3)          // was Adam32(learningRate: 1e-3)
/// optimizer.update("layer1.weight", &weights, along: gradient)
/// ```
public final class Adam2bit: AdamOptimizer {
  override class func formats(blockSize: Int?) -> StateFormats {
    StateFormats(.dynamic2, .logarithmic2, blockSize: blockSize)
  }
}
