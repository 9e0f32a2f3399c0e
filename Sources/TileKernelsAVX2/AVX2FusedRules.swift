#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

// Decoding and rule in one loop: the table look-ups of the next values run while the divider works on these.

@inline(never)
package func avx2AdamFromBytes(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>, _ first: ByteBlock,
  _ second: ByteBlock, _ count: Int, _ constants: AdamConstants
) -> MomentMaxima {
  let firstScale = _mm256_set1_ps(first.scale)
  let secondScale = _mm256_set1_ps(second.scale)
  let done = count & ~7
  var maxima = constants.withDecayTerms { terms in
    var rule = AdamVectors(constants, terms)
    var i = 0
    while i < done {
      let m = _mm256_mul_ps(lookUp(first.codes + i, first.map.values), firstScale)
      let v = _mm256_mul_ps(lookUp(second.codes + i, second.map.values), secondScale)
      rule.step(parameters + i, gradients + i, m, v, first.values + i, second.values + i)
      i &+= 8
    }
    return rule.maxima
  }
  if done < count {
    let rest = adamFromBytesStage(
      parameters + done, gradients + done, first.advanced(by: done), second.advanced(by: done), count &- done,
      constants)
    maxima = maxima.larger(rest)
  }
  return maxima
}

/// Adam's constants and running maxima, in registers.
private struct AdamVectors {
  let beta1, oneMinusBeta1, beta2, oneMinusBeta2, stepSize, scaledEpsilon, coupledDecay, decoupledDecay: __m256
  let terms: DecayTerms
  var firstMaximum = _mm256_setzero_si256()
  var secondMaximum = _mm256_setzero_si256()

  @inline(__always)
  init(_ constants: AdamConstants, _ terms: DecayTerms) {
    self.terms = terms
    beta1 = _mm256_set1_ps(constants.beta1)
    oneMinusBeta1 = _mm256_set1_ps(constants.oneMinusBeta1)
    beta2 = _mm256_set1_ps(constants.beta2)
    oneMinusBeta2 = _mm256_set1_ps(constants.oneMinusBeta2)
    stepSize = _mm256_set1_ps(constants.stepSize)
    scaledEpsilon = _mm256_set1_ps(constants.scaledEpsilon)
    coupledDecay = _mm256_set1_ps(constants.coupledDecay)
    decoupledDecay = _mm256_set1_ps(constants.decoupledDecay)
  }

  /// Updates eight elements from their old moments, and writes the new ones.
  @inline(__always)
  mutating func step(
    _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>, _ oldM: __m256, _ oldV: __m256,
    _ firstMoments: UnsafeMutablePointer<Float>, _ secondMoments: UnsafeMutablePointer<Float>
  ) {
    let p = load(parameters)
    let gradient = load(gradients)
    let g = terms.areCoupled ? _mm256_add_ps(gradient, _mm256_mul_ps(coupledDecay, p)) : gradient
    let m = _mm256_add_ps(_mm256_mul_ps(beta1, oldM), _mm256_mul_ps(oneMinusBeta1, g))
    let v = _mm256_add_ps(_mm256_mul_ps(beta2, oldV), _mm256_mul_ps(oneMinusBeta2, _mm256_mul_ps(g, g)))
    let direction = _mm256_div_ps(m, _mm256_add_ps(_mm256_sqrt_ps(v), scaledEpsilon))
    let decayed = terms.areNone ? p : _mm256_sub_ps(p, _mm256_mul_ps(decoupledDecay, p))
    store(_mm256_sub_ps(decayed, _mm256_mul_ps(stepSize, direction)), to: parameters)
    store(m, to: firstMoments)
    store(v, to: secondMoments)
    let withoutSign = _mm256_set1_epi32(0x7fff_ffff)
    firstMaximum = _mm256_max_epi32(firstMaximum, _mm256_and_si256(unsafeBitCast(m, to: __m256i.self), withoutSign))
    secondMaximum = _mm256_max_epi32(secondMaximum, _mm256_and_si256(unsafeBitCast(v, to: __m256i.self), withoutSign))
  }

  @inline(__always)
  var maxima: MomentMaxima {
    MomentMaxima(firstBits: largestLane(firstMaximum), secondBits: largestLane(secondMaximum))
  }
}

@inline(never)
package func avx2MomentumFromBytes(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>, _ buffer: ByteBlock, _ count: Int,
  _ constants: MomentumConstants
) -> Float {
  momentumFromBytesStage(parameters, gradients, buffer, count, constants)
}

@inline(__always)
func load(_ pointer: UnsafePointer<Float>) -> __m256 {
  UnsafeRawPointer(pointer).loadUnaligned(as: __m256.self)
}

@inline(__always)
func store(_ vector: __m256, to pointer: UnsafeMutablePointer<Float>) {
  UnsafeMutableRawPointer(pointer).storeBytes(of: vector, as: __m256.self)
}

@inline(__always)
private func lookUp(_ codes: UnsafePointer<UInt8>, _ table: UnsafePointer<Float>) -> __m256 {
  __m256(
    table[Int(codes[0])], table[Int(codes[1])], table[Int(codes[2])], table[Int(codes[3])],
    table[Int(codes[4])], table[Int(codes[5])], table[Int(codes[6])], table[Int(codes[7])])
}

@inline(__always)
private func largestLane(_ vector: __m256i) -> Int32 {
  let lanes = unsafeBitCast(vector, to: SIMD8<Int32>.self)
  var result = lanes[0]
  for lane in 1..<8 where lanes[lane] > result { result = lanes[lane] }
  return result
}
#endif
