#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

// Decoding and rule in one loop: the values go from the byte tables to the rule in registers.

@inline(never)
package func vbmiAdamFromBytes(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>, _ first: ByteBlock,
  _ second: ByteBlock, _ count: Int, _ constants: AdamConstants
) -> MomentMaxima {
  let done = count & ~63
  var maxima = constants.withDecayTerms { sixtyFours(parameters, gradients, first, second, done, constants, $0) }
  if done < count {
    let rest = adamFromBytesStage(
      parameters + done, gradients + done, first.advanced(by: done), second.advanced(by: done), count &- done, constants
    )
    maxima = maxima.larger(rest)
  }
  return maxima
}

/// For a multiple of 64 elements.
@inline(__always)
private func sixtyFours(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>, _ first: ByteBlock,
  _ second: ByteBlock, _ count: Int, _ constants: AdamConstants, _ terms: DecayTerms
) -> MomentMaxima {
  let beta1 = _mm512_set1_ps(constants.beta1)
  let oneMinusBeta1 = _mm512_set1_ps(constants.oneMinusBeta1)
  let beta2 = _mm512_set1_ps(constants.beta2)
  let oneMinusBeta2 = _mm512_set1_ps(constants.oneMinusBeta2)
  let stepSize = _mm512_set1_ps(constants.stepSize)
  let scaledEpsilon = _mm512_set1_ps(constants.scaledEpsilon)
  let coupledDecay = _mm512_set1_ps(constants.coupledDecay)
  let decoupledDecay = _mm512_set1_ps(constants.decoupledDecay)
  let firstScale = _mm512_set1_ps(first.scale)
  let secondScale = _mm512_set1_ps(second.scale)
  let withoutSign = _mm512_set1_epi32(0x7fff_ffff)
  var firstMaximum = _mm512_setzero_si512()
  var secondMaximum = _mm512_setzero_si512()

  @inline(__always)
  func sixteen(_ i: Int, _ oldFirst: __m512, _ oldSecond: __m512) {
    let p = load(parameters + i)
    let gradient = load(gradients + i)
    let g = terms.areCoupled ? _mm512_add_ps(gradient, _mm512_mul_ps(coupledDecay, p)) : gradient
    let oldM = _mm512_mul_ps(oldFirst, firstScale)
    let oldV = _mm512_mul_ps(oldSecond, secondScale)
    let m = _mm512_add_ps(_mm512_mul_ps(beta1, oldM), _mm512_mul_ps(oneMinusBeta1, g))
    let v = _mm512_add_ps(_mm512_mul_ps(beta2, oldV), _mm512_mul_ps(oneMinusBeta2, _mm512_mul_ps(g, g)))
    let direction = _mm512_div_ps(m, _mm512_add_ps(_mm512_sqrt_ps(v), scaledEpsilon))
    let decayed = terms.areNone ? p : _mm512_sub_ps(p, _mm512_mul_ps(decoupledDecay, p))
    store(_mm512_sub_ps(decayed, _mm512_mul_ps(stepSize, direction)), to: parameters + i)
    store(m, to: first.values + i)
    store(v, to: second.values + i)
    firstMaximum = _mm512_max_epi32(
      firstMaximum, _mm512_and_si512(unsafeBitCast(m, to: __m512i.self), withoutSign))
    secondMaximum = _mm512_max_epi32(
      secondMaximum, _mm512_and_si512(unsafeBitCast(v, to: __m512i.self), withoutSign))
  }

  var i = 0
  while i < count {
    let m = sixtyFour(first.codes + i, first.map.bytePlanes)
    let v = sixtyFour(second.codes + i, second.map.bytePlanes)
    sixteen(i, m.0, v.0)
    sixteen(i &+ 16, m.1, v.1)
    sixteen(i &+ 32, m.2, v.2)
    sixteen(i &+ 48, m.3, v.3)
    i &+= 64
  }
  return MomentMaxima(firstBits: largestLane(firstMaximum), secondBits: largestLane(secondMaximum))
}

@inline(never)
package func vbmiMomentumFromBytes(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>, _ buffer: ByteBlock, _ count: Int,
  _ constants: MomentumConstants
) -> Float {
  let bufferFactor = _mm512_set1_ps(constants.bufferFactor)
  let gradientFactor = _mm512_set1_ps(constants.gradientFactor)
  let directionOfGradient = _mm512_set1_ps(constants.directionOfGradient)
  let directionOfBuffer = _mm512_set1_ps(constants.directionOfBuffer)
  let learningRate = _mm512_set1_ps(constants.learningRate)
  let coupledDecay = _mm512_set1_ps(constants.coupledDecay)
  let scale = _mm512_set1_ps(buffer.scale)
  let withoutSign = _mm512_set1_epi32(0x7fff_ffff)
  var maximum = _mm512_setzero_si512()

  @inline(__always)
  func sixteen(_ i: Int, _ old: __m512) {
    let p = load(parameters + i)
    let g = _mm512_add_ps(load(gradients + i), _mm512_mul_ps(coupledDecay, p))
    let b = _mm512_add_ps(
      _mm512_mul_ps(bufferFactor, _mm512_mul_ps(old, scale)), _mm512_mul_ps(gradientFactor, g))
    let direction = _mm512_add_ps(_mm512_mul_ps(directionOfGradient, g), _mm512_mul_ps(directionOfBuffer, b))
    store(_mm512_sub_ps(p, _mm512_mul_ps(learningRate, direction)), to: parameters + i)
    store(b, to: buffer.values + i)
    maximum = _mm512_max_epi32(maximum, _mm512_and_si512(unsafeBitCast(b, to: __m512i.self), withoutSign))
  }

  let done = count & ~63
  var i = 0
  while i < done {
    let b = sixtyFour(buffer.codes + i, buffer.map.bytePlanes)
    sixteen(i, b.0)
    sixteen(i &+ 16, b.1)
    sixteen(i &+ 32, b.2)
    sixteen(i &+ 48, b.3)
    i &+= 64
  }
  var absmax = MomentMaxima(firstBits: largestLane(maximum), secondBits: 0)
  if done < count {
    let rest = momentumFromBytesStage(
      parameters + done, gradients + done, buffer.advanced(by: done), count &- done, constants)
    absmax = absmax.larger(MomentMaxima(firstBits: magnitudeBits(rest), secondBits: 0))
  }
  return absmax.first
}

@inline(__always)
private func load(_ pointer: UnsafePointer<Float>) -> __m512 {
  UnsafeRawPointer(pointer).loadUnaligned(as: __m512.self)
}

@inline(__always)
private func largestLane(_ vector: __m512i) -> Int32 {
  let lanes = unsafeBitCast(vector, to: SIMD16<Int32>.self)
  var result = lanes[0]
  for lane in 1..<16 where lanes[lane] > result { result = lanes[lane] }
  return result
}
#endif
