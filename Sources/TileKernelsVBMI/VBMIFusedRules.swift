#if arch(x86_64)
import TileKernels
import TileKernelsAVX512
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
  let rule = adamVectors(constants, terms)
  let firstScale = _mm512_set1_ps(first.scale)
  let secondScale = _mm512_set1_ps(second.scale)
  var firstMaximum = _mm512_setzero_si512()
  var secondMaximum = firstMaximum

  @inline(__always)
  func sixteen(_ i: Int, _ oldFirst: __m512i, _ oldSecond: __m512i) {
    let p = load(parameters + i)
    let g = decayed(load(gradients + i), p, rule)
    let m = firstMoments(_mm512_mul_ps(floats(oldFirst), firstScale), g, rule)
    let v = secondMoments(_mm512_mul_ps(floats(oldSecond), secondScale), g, rule)
    store(moved(p, m, v, rule), to: parameters + i)
    store(m, to: first.values + i)
    store(v, to: second.values + i)
    firstMaximum = _mm512_max_epu32(firstMaximum, magnitudeBits(m))
    secondMaximum = _mm512_max_epu32(secondMaximum, magnitudeBits(v))
  }

  var i = 0
  while i < count {
    let m = interleaved(bytes(first.codes + i, first.map.bytePlanes))
    let v = interleaved(bytes(second.codes + i, second.map.bytePlanes))
    sixteen(i, m.0, v.0)
    sixteen(i &+ 16, m.1, v.1)
    sixteen(i &+ 32, m.2, v.2)
    sixteen(i &+ 48, m.3, v.3)
    i &+= 64
  }
  let (firstBits, secondBits) = largestLanes(firstMaximum, secondMaximum)
  return MomentMaxima(firstBits: Int32(bitPattern: firstBits), secondBits: Int32(bitPattern: secondBits))
}

@inline(never)
package func vbmiMomentumFromBytes(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>, _ buffer: ByteBlock, _ count: Int,
  _ constants: MomentumConstants
) -> Float {
  let done = count & ~63
  let maximumBits = constants.withTerms {
    sixtyFours(parameters, gradients, buffer, done, momentumVectors(constants, $0))
  }
  var absmax = MomentMaxima(firstBits: Int32(bitPattern: maximumBits), secondBits: 0)
  if done < count {
    let rest = momentumFromBytesStage(
      parameters + done, gradients + done, buffer.advanced(by: done), count &- done, constants)
    absmax = absmax.larger(MomentMaxima(firstBits: magnitudeBits(rest), secondBits: 0))
  }
  return absmax.first
}

/// For a multiple of 64 elements.
@inline(__always)
private func sixtyFours(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>, _ buffer: ByteBlock, _ count: Int,
  _ rule: MomentumVectors
) -> UInt32 {
  let scale = _mm512_set1_ps(buffer.scale)
  var maximum = _mm512_setzero_si512()

  @inline(__always)
  func sixteen(_ i: Int, _ old: __m512i) {
    let p = load(parameters + i)
    let g = decayed(load(gradients + i), p, rule)
    let b = buffers(_mm512_mul_ps(floats(old), scale), g, rule)
    store(moved(p, g, b, rule), to: parameters + i)
    store(b, to: buffer.values + i)
    maximum = _mm512_max_epu32(maximum, magnitudeBits(b))
  }

  var i = 0
  while i < count {
    let b = interleaved(bytes(buffer.codes + i, buffer.map.bytePlanes))
    sixteen(i, b.0)
    sixteen(i &+ 16, b.1)
    sixteen(i &+ 32, b.2)
    sixteen(i &+ 48, b.3)
    i &+= 64
  }
  return largestLanes(maximum, maximum).0
}
#endif
