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

/// The lines of the rule.
extension AdamConstants {
  @inlinable @inline(__always)
  func decayedGradient(_ gradient: Float, _ parameter: Float) -> Float { gradient + coupledDecay * parameter }

  @inlinable @inline(__always)
  func first(_ moment: Float, _ g: Float) -> Float { beta1 * moment + oneMinusBeta1 * g }

  @inlinable @inline(__always)
  func second(_ moment: Float, _ g: Float) -> Float { beta2 * moment + oneMinusBeta2 * (g * g) }

  /// The parameter after the step.
  @inlinable @inline(__always)
  func moved(_ p: Float, _ m: Float, _ v: Float) -> Float {
    let decayed = p - decoupledDecay * p
    return decayed - stepSize * (m / (v.squareRoot() + scaledEpsilon))
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
    let g = constants.decayedGradient(gradients[i], p)
    let m = constants.first(firstMoments[i], g)
    let v = constants.second(secondMoments[i], g)
    parameters[i] = constants.moved(p, m, v)
    firstMoments[i] = m
    secondMoments[i] = v
    firstMaximum = max(firstMaximum, magnitudeBits(m))
    secondMaximum = max(secondMaximum, magnitudeBits(v))
  }
  return MomentMaxima(firstBits: firstMaximum, secondBits: secondMaximum)
}

/// The first moments alone, as `adamStage` makes them.
@inlinable @inline(__always)
public func adamFirstMomentsStage(
  _ parameters: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ moments: UnsafeMutablePointer<Float>,
  _ count: Int, _ constants: AdamConstants
) {
  for i in 0..<count {
    moments[i] = constants.first(moments[i], constants.decayedGradient(gradients[i], parameters[i]))
  }
}

/// The second moments alone, as `adamStage` makes them.
@inlinable @inline(__always)
public func adamSecondMomentsStage(
  _ parameters: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ moments: UnsafeMutablePointer<Float>,
  _ count: Int, _ constants: AdamConstants
) {
  if constants.coupledDecay == 0 {
    // The parameters need not be read.
    for i in 0..<count { moments[i] = constants.second(moments[i], gradients[i]) }
    return
  }
  for i in 0..<count {
    moments[i] = constants.second(moments[i], constants.decayedGradient(gradients[i], parameters[i]))
  }
}
