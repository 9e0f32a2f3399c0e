internal import TileKernels

/// The numbers of one step of one parameter, ready for the inner loop.
enum StepConstants {
  case adam(AdamConstants)
  case momentum(MomentumConstants)
}

/// How an optimizer turns its hyperparameters into a step's constants.
protocol UpdateRule: Sendable {
  /// - Parameters:
  ///   - step: the number of this update of the parameter, from 1.
  func constants(step: Int, learningRate: Double) -> StepConstants

  /// The rule's name in checkpoints.
  var name: String { get }
  /// All that ``constants(step:learningRate:)`` depends on beside its arguments, as text that reads back exactly.
  var hyperparameters: [String: String] { get }
  /// The same rule with the hyperparameters of a checkpoint.
  func with(_ hyperparameters: inout MetadataFields) throws(CheckpointError) -> Self
}

/// Adam (decay added to the gradient) or AdamW (decay on the parameter), with bias correction or without.
struct AdamRule: UpdateRule {
  enum Decay: Sendable { case coupled, decoupled }

  var beta1: Double
  var beta2: Double
  var epsilon: Double
  var weightDecay: Double
  var decay: Decay
  var biasCorrection: Bool

  /// p ← p − lr/(1 − β1^t) · m / (√v/√(1 − β2^t) + ε), with both sides of the fraction multiplied by √(1 − β2^t).
  func constants(step: Int, learningRate: Double) -> StepConstants {
    let correction1 = biasCorrection ? 1 - power(beta1, step) : 1
    let correction2 = biasCorrection ? (1 - power(beta2, step)).squareRoot() : 1
    return .adam(
      AdamConstants(
        beta1: Float(beta1), oneMinusBeta1: Float(1 - beta1), beta2: Float(beta2), oneMinusBeta2: Float(1 - beta2),
        stepSize: Float(learningRate * correction2 / correction1), scaledEpsilon: Float(epsilon * correction2),
        coupledDecay: decay == .coupled ? Float(weightDecay) : 0,
        decoupledDecay: decay == .decoupled ? Float(learningRate * weightDecay) : 0))
  }
}

/// Momentum as PyTorch's SGD has it: the buffer is a sum of gradients, not a mean.
struct MomentumRule: UpdateRule {
  var momentum: Double
  var dampening: Double
  var nesterov: Bool
  var weightDecay: Double

  func constants(step: Int, learningRate: Double) -> StepConstants {
    .momentum(
      MomentumConstants(
        bufferFactor: step == 1 ? 0 : Float(momentum), gradientFactor: step == 1 ? 1 : Float(1 - dampening),
        directionOfGradient: nesterov ? 1 : 0, directionOfBuffer: nesterov ? Float(momentum) : 1,
        learningRate: Float(learningRate), coupledDecay: Float(weightDecay)))
  }
}

/// base^exponent by repeated squaring: the same bits on every platform, unlike `pow`.
func power(_ base: Double, _ exponent: Int) -> Double {
  var result = 1.0
  var square = base
  var rest = exponent
  while rest > 0 {
    if rest & 1 == 1 { result *= square }
    square *= square
    rest >>= 1
  }
  return result
}

extension Double {
  /// The decimal number that the caller wrote: 0.999 for the Float 0.999, whose own value is 0.99900001287. With it,
  /// 1 − β2 is the 0.001 that frameworks with Double hyperparameters use.
  init(decimal value: Float) { self = Double("\(value)")! }
}
