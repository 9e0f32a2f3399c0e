/// What all Momentum optimizers share. Use ``Momentum32``, ``Momentum8bit`` and so on.
///
/// The rule is that of PyTorch's SGD, with the fresh buffer that is quantized only afterwards:
///
///     g ← g + λ·p
///     b ← μ·b + (1 − dampening)·g        (b ← g at a parameter's first update)
///     p ← p − lr·b                       (p ← p − lr·(g + μ·b) with Nesterov)
public class MomentumOptimizer: LowBitOptimizer {
  /// The state's formats for the optimizer's precision.
  class func formats(blockSize: Int?) -> StateFormats {
    fatalError("\(Self.self) has no precision: use Momentum32 or Momentum8bit")
  }

  /// - Parameters:
  ///   - learningRate: can be changed between steps.
  ///   - momentum: μ, 0 up to but not including 1; nil for the precision's own: 0.9, and less below 4 bits, see
  ///     ``PrecisionSpecificMomentum``.
  ///   - dampening: share of each later gradient that does not enter the buffer, 0 to 1.
  ///   - nesterov: whether to step along g + μ·b.
  ///   - weightDecay: λ.
  ///   - blockSize: values per scale, 64 to 4096; nil for the precision's own: 256 at 8 bits, 128 below. In a 32-bit
  ///     optimizer it only says how many elements a gradient that is not finite takes with it.
  public init(
    learningRate: Float = 1e-2, momentum: Float? = nil, dampening: Float = 0, nesterov: Bool = false,
    weightDecay: Float = 0, blockSize: Int? = nil
  ) {
    let formats = Self.formats(blockSize: blockSize)
    let momentum = momentum ?? formats.defaultMomentum
    checkHyperparameter("momentum", momentum, in: 0...Float(1).nextDown)
    checkHyperparameter("dampening", dampening, in: 0...1)
    checkHyperparameter("weightDecay", weightDecay, in: 0 ... .greatestFiniteMagnitude)
    let rule = MomentumRule(
      momentum: Double(decimal: momentum), dampening: Double(decimal: dampening), nesterov: nesterov,
      weightDecay: Double(decimal: weightDecay))
    super.init(learningRate: learningRate, rule: rule, formats: formats)
  }
}

/// Momentum with float32 state: 4 bytes a parameter.
///
/// ```swift
/// let optimizer = Momentum32(learningRate: 0.1, momentum: 0.9)
/// optimizer.update("layer1.weight", &weights, along: gradient)
/// ```
public final class Momentum32: MomentumOptimizer {
  override class func formats(blockSize: Int?) -> StateFormats { StateFormats(.float32, blockSize: blockSize) }
}

/// Momentum with 8-bit state: 1 + 4/256 bytes a parameter.
///
/// The buffer is stored block-wise with the signed dynamic map ("8-bit Optimizers via Block-wise Quantization",
/// Dettmers et al.).
///
/// ```swift
/// let optimizer = Momentum8bit(learningRate: 0.1, momentum: 0.9)
/// optimizer.update("layer1.weight", &weights, along: gradient)
/// ```
public final class Momentum8bit: MomentumOptimizer {
  override class func formats(blockSize: Int?) -> StateFormats { StateFormats(.dynamic8, blockSize: blockSize) }
}

/// Momentum with 4-bit state: 1/2 + 4/128 bytes a parameter.
///
/// The buffer is stored in blocks of 128 with the signed dynamic exponent map ("Memory Efficient Optimizers with 4-bit
/// States", Li, Chen and Zhu, section 4).
///
/// ```swift
/// let optimizer = Momentum4bit(learningRate: 0.1, momentum: 0.9)
/// optimizer.update("layer1.weight", &weights, along: gradient)
/// ```
public final class Momentum4bit: MomentumOptimizer {
  override class func formats(blockSize: Int?) -> StateFormats { StateFormats(.dynamic4, blockSize: blockSize) }
}

/// Momentum with 3-bit state: 3/8 + 4/128 bytes a parameter.
///
/// The buffer has the signed dynamic exponent map of 8 values in blocks of 128. μ is 0.694 by default: see
/// ``PrecisionSpecificMomentum``. A gradient then moves its parameter by lr / (1 − μ) in the end, a third of what it does
/// with a μ of 0.9: multiply the learning rate by 3.
///
/// ```swift
/// let optimizer = Momentum3bit(learningRate: 0.3)        // was Momentum32(learningRate: 0.1)
/// optimizer.update("layer1.weight", &weights, along: gradient)
/// ```
public final class Momentum3bit: MomentumOptimizer {
  override class func formats(blockSize: Int?) -> StateFormats { StateFormats(.dynamic3, blockSize: blockSize) }
}

/// Momentum with 2-bit state: 1/4 + 4/128 bytes a parameter.
///
/// The buffer has the signed dynamic exponent map of 4 values in blocks of 128. μ is 0.527 by default: see
/// ``PrecisionSpecificMomentum``. A gradient then moves its parameter by lr / (1 − μ) in the end, a fifth of what it does
/// with a μ of 0.9: multiply the learning rate by 4.7.
///
/// ```swift
/// let optimizer = Momentum2bit(learningRate: 0.47)       // was Momentum32(learningRate: 0.1)
/// optimizer.update("layer1.weight", &weights, along: gradient)
/// ```
public final class Momentum2bit: MomentumOptimizer {
  override class func formats(blockSize: Int?) -> StateFormats { StateFormats(.dynamic2, blockSize: blockSize) }
}
