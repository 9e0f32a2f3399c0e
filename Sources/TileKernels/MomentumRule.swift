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
    let g = gradients[i] + constants.coupledDecay * p
    let b = constants.bufferFactor * buffers[i] + constants.gradientFactor * g
    parameters[i] =
      p - constants.learningRate * (constants.directionOfGradient * g + constants.directionOfBuffer * b)
    buffers[i] = b
    maximum = max(maximum, magnitudeBits(b))
  }
  return Float(bitPattern: UInt32(bitPattern: maximum))
}
