/// What one step of Momentum needs beside the data. The first step (b = g) and Nesterov (p moves along g + μ·b) differ
/// from the plain rule only in these numbers.
public struct MomentumConstants {
  /// μ, and 0 on a parameter's first step.
  public var bufferFactor: Float
  /// 1 − dampening, and 1 on a parameter's first step.
  public var gradientFactor: Float
  /// 0, or 1 with Nesterov.
  public var directionOfGradient: Float
  /// 1, or μ with Nesterov.
  public var directionOfBuffer: Float
  public var learningRate: Float
  /// λ, added to the gradient as λ·p.
  public var coupledDecay: Float

  public init(
    bufferFactor: Float, gradientFactor: Float, directionOfGradient: Float, directionOfBuffer: Float,
    learningRate: Float, coupledDecay: Float
  ) {
    self.bufferFactor = bufferFactor
    self.gradientFactor = gradientFactor
    self.directionOfGradient = directionOfGradient
    self.directionOfBuffer = directionOfBuffer
    self.learningRate = learningRate
    self.coupledDecay = coupledDecay
  }
}

/// Which terms the rule has. Each combination gets a loop of its own: without decay and Nesterov, half the rule is left.
public struct MomentumTerms {
  /// λ·p is added to the gradient.
  public var hasDecay: Bool
  /// The direction is a sum of gradient and buffer; else it is the buffer.
  public var hasGradient: Bool

  @inlinable @inline(__always)
  init(hasDecay: Bool, hasGradient: Bool) {
    self.hasDecay = hasDecay
    self.hasGradient = hasGradient
  }
}

extension MomentumConstants {
  /// Calls `body` with the terms as a constant.
  @inlinable @inline(__always)
  public func withTerms<Result>(_ body: (MomentumTerms) -> Result) -> Result {
    if directionOfGradient == 0 && directionOfBuffer == 1 {
      return coupledDecay == 0
        ? body(MomentumTerms(hasDecay: false, hasGradient: false))
        : body(MomentumTerms(hasDecay: true, hasGradient: false))
    }
    return coupledDecay == 0
      ? body(MomentumTerms(hasDecay: false, hasGradient: true))
      : body(MomentumTerms(hasDecay: true, hasGradient: true))
  }
}

/// The lines of the rule.
extension MomentumConstants {
  @inlinable @inline(__always)
  func decayedGradient(_ gradient: Float, _ parameter: Float, _ terms: MomentumTerms) -> Float {
    terms.hasDecay ? gradient + coupledDecay * parameter : gradient
  }

  @inlinable @inline(__always)
  func buffer(_ old: Float, _ g: Float) -> Float { bufferFactor * old + gradientFactor * g }

  /// The parameter after a step.
  @inlinable @inline(__always)
  func moved(_ p: Float, _ g: Float, _ b: Float, _ terms: MomentumTerms) -> Float {
    p - learningRate * (terms.hasGradient ? directionOfGradient * g + directionOfBuffer * b : b)
  }
}

/// Momentum on `count` elements: buffer and parameters are updated in place. Returns the buffer's largest magnitude.
///
/// The memory regions do not overlap.
@inlinable @inline(__always)
public func momentumStage(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
  _ buffers: UnsafeMutablePointer<Float>, _ count: Int, _ constants: MomentumConstants
) -> Float {
  constants.withTerms { terms in
    var maximum: Int32 = 0
    for i in 0..<count {
      let p = parameters[i]
      let g = constants.decayedGradient(gradients[i], p, terms)
      let b = constants.buffer(buffers[i], g)
      parameters[i] = constants.moved(p, g, b, terms)
      buffers[i] = b
      maximum = max(maximum, magnitudeBits(b))
    }
    return Float(bitPattern: UInt32(bitPattern: maximum))
  }
}

/// The buffers alone, as `momentumStage` makes them.
@inlinable @inline(__always)
public func momentumBuffersStage(
  _ parameters: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ buffers: UnsafeMutablePointer<Float>,
  _ count: Int, _ constants: MomentumConstants
) {
  constants.withTerms { terms in
    for i in 0..<count {
      buffers[i] = constants.buffer(buffers[i], constants.decayedGradient(gradients[i], parameters[i], terms))
    }
  }
}
