// The update rules on sixteen elements in registers.
#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

/// `AdamConstants`, one a register, and which terms of decay they have: a constant, as loops are made for each kind.
@usableFromInline
package typealias AdamVectors = (
  terms: DecayTerms,
  beta1: __m512, oneMinusBeta1: __m512, beta2: __m512, oneMinusBeta2: __m512, stepSize: __m512, scaledEpsilon: __m512,
  coupledDecay: __m512, decoupledDecay: __m512
)

@inlinable @inline(__always)
package func adamVectors(_ constants: AdamConstants, _ terms: DecayTerms) -> AdamVectors {
  (
    terms: terms,
    beta1: _mm512_set1_ps(constants.beta1),
    oneMinusBeta1: _mm512_set1_ps(constants.oneMinusBeta1),
    beta2: _mm512_set1_ps(constants.beta2),
    oneMinusBeta2: _mm512_set1_ps(constants.oneMinusBeta2),
    stepSize: _mm512_set1_ps(constants.stepSize),
    scaledEpsilon: _mm512_set1_ps(constants.scaledEpsilon),
    coupledDecay: _mm512_set1_ps(constants.coupledDecay),
    decoupledDecay: _mm512_set1_ps(constants.decoupledDecay)
  )
}

/// Gradients with the decay that is added to them.
@inlinable @inline(__always)
package func decayed(_ gradients: __m512, _ parameters: __m512, _ rule: AdamVectors) -> __m512 {
  rule.terms.areCoupled ? _mm512_add_ps(gradients, _mm512_mul_ps(rule.coupledDecay, parameters)) : gradients
}

@inlinable @inline(__always)
package func firstMoments(_ m: __m512, _ g: __m512, _ rule: AdamVectors) -> __m512 {
  firstMoments(terms: _mm512_mul_ps(rule.beta1, m), g, rule)
}

/// From what the old moments contribute, β1 times each: few codes have few of these.
@inlinable @inline(__always)
package func firstMoments(terms: __m512, _ g: __m512, _ rule: AdamVectors) -> __m512 {
  _mm512_add_ps(terms, _mm512_mul_ps(rule.oneMinusBeta1, g))
}

@inlinable @inline(__always)
package func secondMoments(_ v: __m512, _ g: __m512, _ rule: AdamVectors) -> __m512 {
  secondMoments(terms: _mm512_mul_ps(rule.beta2, v), g, rule)
}

@inlinable @inline(__always)
package func secondMoments(terms: __m512, _ g: __m512, _ rule: AdamVectors) -> __m512 {
  _mm512_add_ps(terms, _mm512_mul_ps(rule.oneMinusBeta2, _mm512_mul_ps(g, g)))
}

/// The new parameters.
@inlinable @inline(__always)
package func moved(_ p: __m512, _ m: __m512, _ v: __m512, _ rule: AdamVectors) -> __m512 {
  moved(p, m, denominators: denominators(v, rule), rule)
}

/// What the first moments are divided by.
@inlinable @inline(__always)
package func denominators(_ v: __m512, _ rule: AdamVectors) -> __m512 {
  _mm512_add_ps(_mm512_sqrt_ps(v), rule.scaledEpsilon)
}

@inlinable @inline(__always)
package func moved(_ p: __m512, _ m: __m512, denominators: __m512, _ rule: AdamVectors) -> __m512 {
  let direction = _mm512_div_ps(m, denominators)
  let decayed = rule.terms.areNone ? p : _mm512_sub_ps(p, _mm512_mul_ps(rule.decoupledDecay, p))
  return _mm512_sub_ps(decayed, _mm512_mul_ps(rule.stepSize, direction))
}

/// `MomentumConstants`, one a register, and which terms the rule has: a constant, as for Adam.
@usableFromInline
package typealias MomentumVectors = (
  terms: MomentumTerms,
  bufferFactor: __m512, gradientFactor: __m512, directionOfGradient: __m512, directionOfBuffer: __m512,
  learningRate: __m512, coupledDecay: __m512
)

@inlinable @inline(__always)
package func momentumVectors(_ constants: MomentumConstants, _ terms: MomentumTerms) -> MomentumVectors {
  (
    terms: terms,
    bufferFactor: _mm512_set1_ps(constants.bufferFactor),
    gradientFactor: _mm512_set1_ps(constants.gradientFactor),
    directionOfGradient: _mm512_set1_ps(constants.directionOfGradient),
    directionOfBuffer: _mm512_set1_ps(constants.directionOfBuffer),
    learningRate: _mm512_set1_ps(constants.learningRate),
    coupledDecay: _mm512_set1_ps(constants.coupledDecay)
  )
}

/// Gradients with the decay that is added to them.
@inlinable @inline(__always)
package func decayed(_ gradients: __m512, _ parameters: __m512, _ rule: MomentumVectors) -> __m512 {
  rule.terms.hasDecay ? _mm512_add_ps(gradients, _mm512_mul_ps(rule.coupledDecay, parameters)) : gradients
}

@inlinable @inline(__always)
package func buffers(_ b: __m512, _ g: __m512, _ rule: MomentumVectors) -> __m512 {
  buffers(terms: _mm512_mul_ps(rule.bufferFactor, b), g, rule)
}

@inlinable @inline(__always)
package func buffers(terms: __m512, _ g: __m512, _ rule: MomentumVectors) -> __m512 {
  _mm512_add_ps(terms, _mm512_mul_ps(rule.gradientFactor, g))
}

/// The new parameters.
@inlinable @inline(__always)
package func moved(_ p: __m512, _ g: __m512, _ b: __m512, _ rule: MomentumVectors) -> __m512 {
  let direction =
    rule.terms.hasGradient
    ? _mm512_add_ps(_mm512_mul_ps(rule.directionOfGradient, g), _mm512_mul_ps(rule.directionOfBuffer, b)) : b
  return _mm512_sub_ps(p, _mm512_mul_ps(rule.learningRate, direction))
}
#endif
