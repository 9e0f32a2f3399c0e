/// What one step of Momentum needs beside the data. The first step (b = g) and Nesterov (p moves along g + μ·b) differ
/// from the plain rule only in these numbers, and 0·b and 1·b are exact.
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

/// The lines of the rule that the buffer follows from.
extension MomentumConstants {
  @inlinable @inline(__always)
  func decayedGradient(_ gradient: Float, _ parameter: Float) -> Float { gradient + coupledDecay * parameter }

  @inlinable @inline(__always)
  func buffer(_ old: Float, _ g: Float) -> Float { bufferFactor * old + gradientFactor * g }
}

/// Momentum on `count` elements: buffer and parameters are updated in place. Returns the buffer's largest magnitude.
///
/// The memory regions do not overlap.
@inlinable @inline(__always)
public func momentumStage(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
  _ buffers: UnsafeMutablePointer<Float>, _ count: Int, _ constants: MomentumConstants
) -> Float {
  var maximum: Int32 = 0
  for i in 0..<count {
    let p = parameters[i]
    let g = constants.decayedGradient(gradients[i], p)
    let b = constants.buffer(buffers[i], g)
    parameters[i] =
      p - constants.learningRate * (constants.directionOfGradient * g + constants.directionOfBuffer * b)
    buffers[i] = b
    maximum = max(maximum, magnitudeBits(b))
  }
  return Float(bitPattern: UInt32(bitPattern: maximum))
}

/// The buffers alone, as `momentumStage` makes them.
@inlinable @inline(__always)
public func momentumBuffersStage(
  _ parameters: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ buffers: UnsafeMutablePointer<Float>,
  _ count: Int, _ constants: MomentumConstants
) {
  for i in 0..<count {
    buffers[i] = constants.buffer(buffers[i], constants.decayedGradient(gradients[i], parameters[i]))
  }
}
