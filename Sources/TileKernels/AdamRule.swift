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

/// Which terms of weight decay the rule has. Each kind gets a loop of its own: the terms are a sixth of it.
public enum DecayTerms {
  case none
  case decoupled
  case all

  // Not by ==, which is a call where modules are not optimised together, as in debug builds.

  /// λ·p is added to the gradient.
  @inlinable @inline(__always)
  public var areCoupled: Bool { if case .all = self { true } else { false } }

  @inlinable @inline(__always)
  public var areNone: Bool { if case .none = self { true } else { false } }
}

extension AdamConstants {
  @inlinable @inline(__always)
  public var decayTerms: DecayTerms { coupledDecay != 0 ? .all : decoupledDecay != 0 ? .decoupled : .none }

  /// Calls `body` with the terms as a constant.
  @inlinable @inline(__always)
  public func withDecayTerms<Result>(_ body: (DecayTerms) -> Result) -> Result {
    switch decayTerms {
    case .none: body(.none)
    case .decoupled: body(.decoupled)
    case .all: body(.all)
    }
  }
}

/// The lines of the rule.
extension AdamConstants {
  @inlinable @inline(__always)
  func decayedGradient(_ gradient: Float, _ parameter: Float, _ terms: DecayTerms) -> Float {
    terms.areCoupled ? gradient + coupledDecay * parameter : gradient
  }

  @inlinable @inline(__always)
  func first(_ moment: Float, _ g: Float) -> Float { beta1 * moment + oneMinusBeta1 * g }

  @inlinable @inline(__always)
  func second(_ moment: Float, _ g: Float) -> Float { beta2 * moment + oneMinusBeta2 * (g * g) }

  /// The parameter after a step along these moments.
  @inlinable @inline(__always)
  func moved(_ p: Float, _ m: Float, _ v: Float, _ terms: DecayTerms) -> Float {
    let decayed = terms.areNone ? p : p - decoupledDecay * p
    return decayed - stepSize * (m / (v.squareRoot() + scaledEpsilon))
  }

  /// The same on four, for loops that do other things too, which the compiler does not vectorise.
  @inlinable @inline(__always)
  func moved(_ p: SIMD4<Float>, _ m: SIMD4<Float>, _ v: SIMD4<Float>, _ terms: DecayTerms) -> SIMD4<Float> {
    let decayed = terms.areNone ? p : p - decoupledDecay * p
    return decayed - stepSize * (m / (v.squareRoot() + scaledEpsilon))
  }
}

/// Adam and AdamW on `count` elements: moments and parameters are updated in place.
///
/// The memory regions do not overlap. The loop is written on scalars and vectorised by the compiler: Swift's wide
/// SIMD types are scalar loops themselves, which come out worse.
@inlinable @inline(__always)
public func adamStage(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
  _ firstMoments: UnsafeMutablePointer<Float>, _ secondMoments: UnsafeMutablePointer<Float>,
  _ count: Int, _ constants: AdamConstants
) -> MomentMaxima {
  constants.withDecayTerms { terms in
    var firstMaximum: Int32 = 0
    var secondMaximum: Int32 = 0
    for i in 0..<count {
      let p = parameters[i]
      let g = constants.decayedGradient(gradients[i], p, terms)
      let m = constants.first(firstMoments[i], g)
      let v = constants.second(secondMoments[i], g)
      parameters[i] = constants.moved(p, m, v, terms)
      firstMoments[i] = m
      secondMoments[i] = v
      firstMaximum = max(firstMaximum, magnitudeBits(m))
      secondMaximum = max(secondMaximum, magnitudeBits(v))
    }
    return MomentMaxima(firstBits: firstMaximum, secondBits: secondMaximum)
  }
}

/// The first moments alone, as `adamStage` makes them.
@inlinable @inline(__always)
public func adamFirstMomentsStage(
  _ parameters: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ moments: UnsafeMutablePointer<Float>,
  _ count: Int, _ constants: AdamConstants
) {
  constants.withDecayTerms { terms in
    for i in 0..<count {
      moments[i] = constants.first(moments[i], constants.decayedGradient(gradients[i], parameters[i], terms))
    }
  }
}

/// The second moments alone, as `adamStage` makes them.
@inlinable @inline(__always)
public func adamSecondMomentsStage(
  _ parameters: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ moments: UnsafeMutablePointer<Float>,
  _ count: Int, _ constants: AdamConstants
) {
  constants.withDecayTerms { terms in
    for i in 0..<count {
      moments[i] = constants.second(moments[i], constants.decayedGradient(gradients[i], parameters[i], terms))
    }
  }
}
