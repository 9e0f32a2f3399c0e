/// What one step of Adam or AdamW needs beside the data, worked out once per tensor in Double.
public struct AdamConstants {
  public var beta1: Float
  public var oneMinusBeta1: Float
  public var beta2: Float
  public var oneMinusBeta2: Float
  /// Learning rate · √(1 − β2^t) / (1 − β1^t).
  public var stepSize: Float
  /// ε · √(1 − β2^t): with it, m / (√v + scaled ε) needs no division of √v.
  public var scaledEpsilon: Float
  /// λ where decay is added to the gradient (Adam), else 0.
  public var coupledDecay: Float
  /// Learning rate · λ where decay shrinks the parameter first (AdamW), else 0. The factor 1 − lr·λ itself would lose
  /// most of lr·λ when rounded to float32, and always to the same side.
  public var decoupledDecay: Float

  public init(
    beta1: Float, oneMinusBeta1: Float, beta2: Float, oneMinusBeta2: Float, stepSize: Float, scaledEpsilon: Float,
    coupledDecay: Float, decoupledDecay: Float
  ) {
    self.beta1 = beta1
    self.oneMinusBeta1 = oneMinusBeta1
    self.beta2 = beta2
    self.oneMinusBeta2 = oneMinusBeta2
    self.stepSize = stepSize
    self.scaledEpsilon = scaledEpsilon
    self.coupledDecay = coupledDecay
    self.decoupledDecay = decoupledDecay
  }
}

/// Adam and AdamW on `count` elements: moments and parameters are updated in place.
///
/// The memory regions do not overlap. The loop is written on scalars and vectorised by the compiler: Swift's SIMD
/// operators are scalar loops themselves, which come out worse.
@inlinable @inline(__always)
public func adamStage(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
  _ firstMoments: UnsafeMutablePointer<Float>, _ secondMoments: UnsafeMutablePointer<Float>,
  _ count: Int, _ constants: AdamConstants
) -> MomentMaxima {
  var firstMaximum: Int32 = 0
  var secondMaximum: Int32 = 0
  for i in 0..<count {
    let p = parameters[i]
    let g = gradients[i] + constants.coupledDecay * p
    let m = constants.beta1 * firstMoments[i] + constants.oneMinusBeta1 * g
    let v = constants.beta2 * secondMoments[i] + constants.oneMinusBeta2 * (g * g)
    let decayed = p - constants.decoupledDecay * p
    parameters[i] = decayed - constants.stepSize * (m / (v.squareRoot() + constants.scaledEpsilon))
    firstMoments[i] = m
    secondMoments[i] = v
    firstMaximum = max(firstMaximum, magnitudeBits(m))
    secondMaximum = max(secondMaximum, magnitudeBits(v))
  }
  return MomentMaxima(firstBits: firstMaximum, secondBits: secondMaximum)
}
