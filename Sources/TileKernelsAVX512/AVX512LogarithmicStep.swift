// Adam on blocks of 128 with logarithmic second moments. As with 4-bit codes, the first half writes nothing but scratch
// memory, and the second moves the parameters and encodes in one loop.
#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

/// - Parameter firstValues: the map's. Sixteen can be read.
@inline(never)
package func avx512MakeMoments(
  _ parameters: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ first: PackedBlock,
  _ firstValues: UnsafePointer<Float>, _ second: PackedBlock, _ secondBase: Float, _ constants: AdamConstants
) -> NewMoments {
  constants.withDecayTerms {
    makeMoments(parameters, gradients, first, firstValues, second, secondBase, adamVectors(constants, $0))
  }
}

@inline(__always)
private func makeMoments(
  _ parameters: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ first: PackedBlock,
  _ firstValues: UnsafePointer<Float>, _ second: PackedBlock, _ secondBase: Float, _ rule: AdamVectors
) -> NewMoments {
  let firstReader = codeReader(bits: first.bits)
  let secondReader = codeReader(bits: second.bits)
  let firstLevels = _mm512_mul_ps(
    _mm512_permutexvar_ps(lanesAsCodes(bits: first.bits), load(firstValues)), _mm512_set1_ps(first.scale))
  let secondLevels = geometricLevels(second.scale, secondBase, second.bits, lanesAsCodes(bits: second.bits))
  var firstMaximum = _mm512_setzero_si512()
  var secondMaximum = firstMaximum
  var minima = noMinima
  var i = 0
  while i < LogarithmicStep.blockSize {
    let g = decayed(load(gradients + i), load(parameters + i), rule)
    let m = firstMoments(
      _mm512_permutexvar_ps(sixteenCodes(first.codes, from: i, firstReader), firstLevels), g, rule)
    let v = secondMoments(
      _mm512_permutexvar_ps(sixteenCodes(second.codes, from: i, secondReader), secondLevels), g, rule)
    store(m, to: first.values + i)
    store(v, to: second.values + i)
    firstMaximum = _mm512_max_epu32(firstMaximum, _mm512_and_si512(bits(m), _mm512_set1_epi32(0x7fff_ffff)))
    secondMaximum = _mm512_max_epu32(secondMaximum, bits(v))
    minima = smaller(minima, v)
    i &+= 16
  }
  let (firstBits, secondBits) = largestLanes(firstMaximum, secondMaximum)
  // Finite first moments mean finite gradients. Infinity, no number and negative second moments are larger bits.
  return NewMoments(
    isOrdinary: firstBits < Float.infinity.bitPattern && secondBits < Float.infinity.bitPattern,
    maxima: MomentMaxima(
      firstBits: Int32(bitPattern: firstBits), secondBits: Int32(bitPattern: secondBits)),
    quantile: quantile(ofMinima: minima))
}

/// Level `codes[lane]` in each lane: the scale, times the base as often as the code says.
@inline(__always)
private func geometricLevels(_ scale: Float, _ base: Float, _ bits: Int, _ codes: __m512i) -> __m512 {
  let base = _mm512_set1_ps(base)
  var levels = _mm512_set1_ps(scale)
  var code: Int32 = 1
  while code < 1 &<< Int32(truncatingIfNeeded: bits) {
    let isThere = _mm512_movepi32_mask(_mm512_sub_epi32(_mm512_set1_epi32(code &- 1), codes))
    levels = _mm512_mask_mul_ps(levels, isThere, levels, base)
    code &+= 1
  }
  return levels
}

/// - Parameters:
///   - first: with its new scale's reciprocal as the scale.
///   - firstThresholds: the map's. Sixteen can be read.
@inline(never)
package func avx512MoveAndEncode(
  _ parameters: UnsafeMutablePointer<Float>, _ first: PackedBlock, _ firstThresholds: UnsafePointer<Float>,
  _ second: PackedBlock, _ rounding: LogarithmicRounding, _ constants: AdamConstants
) {
  // Constant widths: a function for each of the second moment's, because the compiler would not inline nine loops in one.
  switch second.bits {
  case 2: moveAndEncode2(parameters, first, firstThresholds, second.codes, second.values, rounding, constants)
  case 3: moveAndEncode3(parameters, first, firstThresholds, second.codes, second.values, rounding, constants)
  default: moveAndEncode4(parameters, first, firstThresholds, second.codes, second.values, rounding, constants)
  }
}

@inline(never)
func moveAndEncode2(
  _ parameters: UnsafeMutablePointer<Float>, _ first: PackedBlock, _ firstThresholds: UnsafePointer<Float>,
  _ secondCodes: UnsafeMutablePointer<UInt8>, _ v: UnsafePointer<Float>, _ rounding: LogarithmicRounding,
  _ constants: AdamConstants
) {
  moveAndEncode(parameters, first, firstThresholds, secondCodes, v, 2, rounding, constants)
}

@inline(never)
func moveAndEncode3(
  _ parameters: UnsafeMutablePointer<Float>, _ first: PackedBlock, _ firstThresholds: UnsafePointer<Float>,
  _ secondCodes: UnsafeMutablePointer<UInt8>, _ v: UnsafePointer<Float>, _ rounding: LogarithmicRounding,
  _ constants: AdamConstants
) {
  moveAndEncode(parameters, first, firstThresholds, secondCodes, v, 3, rounding, constants)
}

@inline(never)
func moveAndEncode4(
  _ parameters: UnsafeMutablePointer<Float>, _ first: PackedBlock, _ firstThresholds: UnsafePointer<Float>,
  _ secondCodes: UnsafeMutablePointer<UInt8>, _ v: UnsafePointer<Float>, _ rounding: LogarithmicRounding,
  _ constants: AdamConstants
) {
  moveAndEncode(parameters, first, firstThresholds, secondCodes, v, 4, rounding, constants)
}

@inline(__always)
private func moveAndEncode(
  _ p: UnsafeMutablePointer<Float>, _ first: PackedBlock, _ thresholds: UnsafePointer<Float>,
  _ codes: UnsafeMutablePointer<UInt8>, _ v: UnsafePointer<Float>, _ secondBits: Int, _ rounding: LogarithmicRounding,
  _ constants: AdamConstants
) {
  switch first.bits {
  case 2: moveAndEncode(p, first, 2, thresholds, codes, v, secondBits, rounding, constants)
  case 3: moveAndEncode(p, first, 3, thresholds, codes, v, secondBits, rounding, constants)
  default: moveAndEncode(p, first, 4, thresholds, codes, v, secondBits, rounding, constants)
  }
}

@inline(__always)
private func moveAndEncode(
  _ parameters: UnsafeMutablePointer<Float>, _ first: PackedBlock, _ firstBits: Int,
  _ firstThresholds: UnsafePointer<Float>, _ secondCodes: UnsafeMutablePointer<UInt8>, _ v: UnsafePointer<Float>,
  _ secondBits: Int, _ rounding: LogarithmicRounding, _ constants: AdamConstants
) {
  let rule = adamVectors(constants, .none)
  // A mask, because there are nine such loops already.
  let decays: __mmask16 = constants.decayTerms.areNone ? 0 : 0xffff
  let factor = _mm512_set1_ps(first.scale)
  let search = thresholdSearch(load(firstThresholds), firstBits, fromTop: false)
  let last = (1 &<< Int32(truncatingIfNeeded: secondBits)) &- 1
  let levels = geometricLevels(rounding.scale, rounding.base, secondBits, lanes())
  let levelSearch = thresholdSearch(
    _mm512_permutexvar_ps(lanes(from: last, by: -1), levels), secondBits, fromTop: true)
  let dither = dither(log2Base: rounding.log2Base, leastFactor: rounding.leastFactor, scale: 0x1p-32)
  let random = RandomLanes(rounding.key)
  @inline(__always) func sixteen(_ i: Int) -> (__m512i, __m512i) {
    let (m, v) = (load(first.values + i), load(v + i))
    let p = load(parameters + i)
    let decayed = _mm512_mask_sub_ps(p, decays, p, _mm512_mul_ps(rule.decoupledDecay, p))
    store(moved(decayed, m, v, rule), to: parameters + i)
    return (
      searched(_mm512_mul_ps(m, factor), search),
      searched(dithered(v, random.uniforms(from: i), dither), levelSearch)
    )
  }
  var i = 0
  while i < LogarithmicStep.blockSize {
    let (a, b, c, d) = (sixteen(i), sixteen(i &+ 16), sixteen(i &+ 32), sixteen(i &+ 48))
    write(a.0, b.0, c.0, d.0, bits: firstBits, to: first.codes, at: i)
    write(a.1, b.1, c.1, d.1, bits: secondBits, to: secondCodes, at: i)
    i &+= 64
  }
}

/// `fillUniformsStage` in registers.
private struct RandomLanes {
  private let first, high: __m512i

  @inline(__always)
  init(_ key: UInt64) {
    let low = Int32(truncatingIfNeeded: key)
    first = _mm512_add_epi32(
      _mm512_set1_epi32(low), _mm512_mullo_epi32(lanes(), _mm512_set1_epi32(Int32(bitPattern: 0x9e37_79b9))))
    high = _mm512_set1_epi32(Int32(truncatingIfNeeded: key &>> 32))
  }

  /// The random numbers of sixteen elements, times 2^32.
  @inline(__always)
  func uniforms(from element: Int) -> __m512 {
    let offset = Int32(truncatingIfNeeded: element) &* Int32(bitPattern: 0x9e37_79b9)
    var h = _mm512_add_epi32(first, _mm512_set1_epi32(offset))
    h = _mm512_mullo_epi32(
      _mm512_xor_si512(h, _mm512_srli_epi32(h, 16)), _mm512_set1_epi32(Int32(bitPattern: 0x7feb_352d)))
    h = _mm512_add_epi32(h, high)
    h = _mm512_mullo_epi32(
      _mm512_xor_si512(h, _mm512_srli_epi32(h, 15)), _mm512_set1_epi32(Int32(bitPattern: 0x846c_a68b)))
    h = _mm512_xor_si512(h, _mm512_srli_epi32(h, 16))
    // The upper 24 bits, where they are.
    return _mm512_cvtepu32_ps(_mm512_and_si512(h, _mm512_set1_epi32(-256)))
  }
}
#endif
