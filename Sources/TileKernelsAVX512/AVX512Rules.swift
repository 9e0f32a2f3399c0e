// The update rules on sixteen elements in registers.
#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

/// `AdamConstants`, one a register.
struct AdamVectors {
  private let beta1, oneMinusBeta1, beta2, oneMinusBeta2, stepSize, scaledEpsilon, coupledDecay, decoupledDecay: __m512

  @inline(__always)
  init(_ constants: AdamConstants) {
    beta1 = _mm512_set1_ps(constants.beta1)
    oneMinusBeta1 = _mm512_set1_ps(constants.oneMinusBeta1)
    beta2 = _mm512_set1_ps(constants.beta2)
    oneMinusBeta2 = _mm512_set1_ps(constants.oneMinusBeta2)
    stepSize = _mm512_set1_ps(constants.stepSize)
    scaledEpsilon = _mm512_set1_ps(constants.scaledEpsilon)
    coupledDecay = _mm512_set1_ps(constants.coupledDecay)
    decoupledDecay = _mm512_set1_ps(constants.decoupledDecay)
  }

  /// Gradients with the decay that is added to them.
  @inline(__always)
  func decayed(_ gradients: __m512, _ parameters: __m512) -> __m512 {
    _mm512_add_ps(gradients, _mm512_mul_ps(coupledDecay, parameters))
  }

  @inline(__always)
  func first(_ m: __m512, _ g: __m512) -> __m512 {
    _mm512_add_ps(_mm512_mul_ps(beta1, m), _mm512_mul_ps(oneMinusBeta1, g))
  }

  @inline(__always)
  func second(_ v: __m512, _ g: __m512) -> __m512 {
    _mm512_add_ps(_mm512_mul_ps(beta2, v), _mm512_mul_ps(oneMinusBeta2, _mm512_mul_ps(g, g)))
  }

  /// The new parameters.
  @inline(__always)
  func moved(_ p: __m512, _ m: __m512, _ v: __m512) -> __m512 {
    let direction = _mm512_div_ps(m, _mm512_add_ps(_mm512_sqrt_ps(v), scaledEpsilon))
    let decayed = _mm512_sub_ps(p, _mm512_mul_ps(decoupledDecay, p))
    return _mm512_sub_ps(decayed, _mm512_mul_ps(stepSize, direction))
  }
}

/// `MomentumConstants`, one a register.
struct MomentumVectors {
  private let bufferFactor, gradientFactor, directionOfGradient, directionOfBuffer, learningRate, coupledDecay: __m512

  @inline(__always)
  init(_ constants: MomentumConstants) {
    bufferFactor = _mm512_set1_ps(constants.bufferFactor)
    gradientFactor = _mm512_set1_ps(constants.gradientFactor)
    directionOfGradient = _mm512_set1_ps(constants.directionOfGradient)
    directionOfBuffer = _mm512_set1_ps(constants.directionOfBuffer)
    learningRate = _mm512_set1_ps(constants.learningRate)
    coupledDecay = _mm512_set1_ps(constants.coupledDecay)
  }

  /// Gradients with the decay that is added to them.
  @inline(__always)
  func decayed(_ gradients: __m512, _ parameters: __m512) -> __m512 {
    _mm512_add_ps(gradients, _mm512_mul_ps(coupledDecay, parameters))
  }

  @inline(__always)
  func buffer(_ b: __m512, _ g: __m512) -> __m512 {
    _mm512_add_ps(_mm512_mul_ps(bufferFactor, b), _mm512_mul_ps(gradientFactor, g))
  }

  /// The new parameters.
  @inline(__always)
  func moved(_ p: __m512, _ g: __m512, _ b: __m512) -> __m512 {
    let direction = _mm512_add_ps(_mm512_mul_ps(directionOfGradient, g), _mm512_mul_ps(directionOfBuffer, b))
    return _mm512_sub_ps(p, _mm512_mul_ps(learningRate, direction))
  }
}
#endif
