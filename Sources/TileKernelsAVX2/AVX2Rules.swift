// The update rules on eight elements in registers.
#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

// Tuples, because structs would bring along weak functions, which no kernel module may have.

/// `AdamConstants`, one a register, and which terms of decay they have: a constant, as loops are made for each kind.
typealias AdamVectors = (
  terms: DecayTerms,
  beta1: __m256, oneMinusBeta1: __m256, beta2: __m256, oneMinusBeta2: __m256, stepSize: __m256, scaledEpsilon: __m256,
  coupledDecay: __m256, decoupledDecay: __m256
)

@inline(__always)
func adamVectors(_ constants: AdamConstants, _ terms: DecayTerms) -> AdamVectors {
  (
    terms: terms,
    beta1: _mm256_set1_ps(constants.beta1),
    oneMinusBeta1: _mm256_set1_ps(constants.oneMinusBeta1),
    beta2: _mm256_set1_ps(constants.beta2),
    oneMinusBeta2: _mm256_set1_ps(constants.oneMinusBeta2),
    stepSize: _mm256_set1_ps(constants.stepSize),
    scaledEpsilon: _mm256_set1_ps(constants.scaledEpsilon),
    coupledDecay: _mm256_set1_ps(constants.coupledDecay),
    decoupledDecay: _mm256_set1_ps(constants.decoupledDecay)
  )
}

/// Gradients with the decay that is added to them.
@inline(__always)
func decayed(_ gradients: __m256, _ parameters: __m256, _ rule: AdamVectors) -> __m256 {
  rule.terms.areCoupled ? _mm256_add_ps(gradients, _mm256_mul_ps(rule.coupledDecay, parameters)) : gradients
}

@inline(__always)
func firstMoments(_ m: __m256, _ g: __m256, _ rule: AdamVectors) -> __m256 {
  _mm256_add_ps(_mm256_mul_ps(rule.beta1, m), _mm256_mul_ps(rule.oneMinusBeta1, g))
}

@inline(__always)
func secondMoments(_ v: __m256, _ g: __m256, _ rule: AdamVectors) -> __m256 {
  _mm256_add_ps(_mm256_mul_ps(rule.beta2, v), _mm256_mul_ps(rule.oneMinusBeta2, _mm256_mul_ps(g, g)))
}

/// The new parameters.
@inline(__always)
func moved(_ p: __m256, _ m: __m256, _ v: __m256, _ rule: AdamVectors) -> __m256 {
  let direction = _mm256_div_ps(m, _mm256_add_ps(_mm256_sqrt_ps(v), rule.scaledEpsilon))
  let decayed = rule.terms.areNone ? p : _mm256_sub_ps(p, _mm256_mul_ps(rule.decoupledDecay, p))
  return _mm256_sub_ps(decayed, _mm256_mul_ps(rule.stepSize, direction))
}

/// `MomentumConstants`, one a register, and which terms the rule has: a constant, as for Adam.
typealias MomentumVectors = (
  terms: MomentumTerms,
  bufferFactor: __m256, gradientFactor: __m256, directionOfGradient: __m256, directionOfBuffer: __m256,
  learningRate: __m256, coupledDecay: __m256
)

@inline(__always)
func momentumVectors(_ constants: MomentumConstants, _ terms: MomentumTerms) -> MomentumVectors {
  (
    terms: terms,
    bufferFactor: _mm256_set1_ps(constants.bufferFactor),
    gradientFactor: _mm256_set1_ps(constants.gradientFactor),
    directionOfGradient: _mm256_set1_ps(constants.directionOfGradient),
    directionOfBuffer: _mm256_set1_ps(constants.directionOfBuffer),
    learningRate: _mm256_set1_ps(constants.learningRate),
    coupledDecay: _mm256_set1_ps(constants.coupledDecay)
  )
}

/// Gradients with the decay that is added to them.
@inline(__always)
func decayed(_ gradients: __m256, _ parameters: __m256, _ rule: MomentumVectors) -> __m256 {
  rule.terms.hasDecay ? _mm256_add_ps(gradients, _mm256_mul_ps(rule.coupledDecay, parameters)) : gradients
}

@inline(__always)
func buffers(_ b: __m256, _ g: __m256, _ rule: MomentumVectors) -> __m256 {
  _mm256_add_ps(_mm256_mul_ps(rule.bufferFactor, b), _mm256_mul_ps(rule.gradientFactor, g))
}

/// The new parameters.
@inline(__always)
func moved(_ p: __m256, _ g: __m256, _ b: __m256, _ rule: MomentumVectors) -> __m256 {
  let direction =
    rule.terms.hasGradient
    ? _mm256_add_ps(_mm256_mul_ps(rule.directionOfGradient, g), _mm256_mul_ps(rule.directionOfBuffer, b)) : b
  return _mm256_sub_ps(p, _mm256_mul_ps(rule.learningRate, direction))
}
#endif
