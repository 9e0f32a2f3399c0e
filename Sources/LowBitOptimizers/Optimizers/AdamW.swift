/// What all AdamW optimizers share. Use ``AdamW32``, ``AdamW8bit`` and so on.
///
/// Adam's rule, but weight decay shrinks the parameter instead of changing the gradient ("Decoupled Weight Decay
/// Regularization", Loshchilov and Hutter, algorithm 2), before the step as in PyTorch:
///
///     p ← p · (1 − lr·λ)
public class AdamWOptimizer: AdamOptimizer {
  override class var decay: AdamRule.Decay { .decoupled }

  /// - Parameters: those of ``AdamOptimizer``; `weightDecay` is 0.01 by default.
  public override init(
    learningRate: Float = 1e-3, beta1: Float? = nil, beta2: Float = 0.999, epsilon: Float = 1e-8,
    weightDecay: Float = 0.01, biasCorrection: Bool = true, blockSize: Int? = nil
  ) {
    super.init(
      learningRate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay,
      biasCorrection: biasCorrection, blockSize: blockSize)
  }

  override init(learningRate: Float, rule: AdamRule, blockSize: Int? = nil) {
    super.init(learningRate: learningRate, rule: rule, blockSize: blockSize)
  }

  override init(learningRate: Float, rule: AdamRule, formats: StateFormats) {
    super.init(learningRate: learningRate, rule: rule, formats: formats)
  }
}

/// AdamW with float32 state: 8 bytes a parameter.
///
/// ```swift
/// let optimizer = AdamW32(learningRate: 1e-3, weightDecay: 0.01)
/// optimizer.update("layer1.weight", &weights, along: gradient)
/// ```
public final class AdamW32: AdamWOptimizer {
  override class func formats(blockSize: Int?) -> StateFormats {
    StateFormats(.float32, .float32, blockSize: blockSize)
  }
}

/// AdamW with 8-bit state, stored as in ``Adam8bit``: 2 + 8/256 bytes a parameter.
///
/// ```swift
/// let optimizer = AdamW8bit(learningRate: 1e-3, weightDecay: 0.01)
/// optimizer.update("layer1.weight", &weights, along: gradient)
/// ```
public final class AdamW8bit: AdamWOptimizer {
  override class func formats(blockSize: Int?) -> StateFormats {
    StateFormats(.dynamic8, .dynamic8, blockSize: blockSize)
  }
}

/// AdamW with 4-bit state, stored as in ``Adam4bit``: 1.023 bytes a parameter for a 1024 × 1024 matrix.
///
/// ```swift
/// let optimizer = AdamW4bit(learningRate: 1e-3, weightDecay: 0.01)
/// optimizer.update("layer1.weight", &weights, along: gradient, shape: [512, 128])
/// ```
public final class AdamW4bit: AdamWOptimizer {
  override class func formats(blockSize: Int?) -> StateFormats {
    StateFormats(.normalFloat4, .linear4, blockSize: blockSize)
  }
}

/// AdamW with 3-bit state, stored as in ``Adam3bit``: 0.844 bytes a parameter.
///
/// ```swift
/// let optimizer = AdamW3bit(learningRate: 1e-3, weightDecay: 0.01)
/// optimizer.update("layer1.weight", &weights, along: gradient)
/// ```
public final class AdamW3bit: AdamWOptimizer {
  override class func formats(blockSize: Int?) -> StateFormats {
    StateFormats(.dynamic3, .logarithmic3, blockSize: blockSize)
  }
}

/// AdamW with 2-bit state, stored as in ``Adam2bit``: 0.594 bytes a parameter.
///
/// ```swift
/// let optimizer = AdamW2bit(learningRate: 1e-3, weightDecay: 0.01)
/// optimizer.update("layer1.weight", &weights, along: gradient)
/// ```
public final class AdamW2bit: AdamWOptimizer {
  override class func formats(blockSize: Int?) -> StateFormats {
    StateFormats(.dynamic2, .logarithmic2, blockSize: blockSize)
  }
}
