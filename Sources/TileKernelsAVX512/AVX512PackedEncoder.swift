#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

/// 64 codes at a time: search, pack.
@inline(never)
package func avx512EncodePacked(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ map: PackedMap,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  let done = count & ~15
  let factor = _mm512_set1_ps(reciprocal)
  let thresholds = load(map.thresholds)
  if map.bits == 2 {
    let search = ThresholdSearch(thresholds, 2, fromTop: false)
    pack(done, 2, codes) { search.codes(_mm512_mul_ps(load(values + $0), factor)) }
  } else {
    let search = ThresholdSearch(thresholds, 3, fromTop: false)
    pack(done, 3, codes) { search.codes(_mm512_mul_ps(load(values + $0), factor)) }
  }
  if done < count {
    encodePackedStage(values + done, count &- done, reciprocal, map, codes + done / 8 &* map.bits)
  }
}

@inline(never)
package func avx512EncodeLogarithmic(
  _ values: UnsafePointer<Float>, _ uniforms: UnsafePointer<Float>, _ count: Int, _ levels: LogarithmicLevels,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  let done = count & ~15
  let dither = Dither(levels)
  let thresholds = load(levels.thresholds)
  switch levels.bits {
  case 2:
    let search = ThresholdSearch(thresholds, 2, fromTop: true)
    pack(done, 2, codes) { search.codes(dither.applied(load(values + $0), load(uniforms + $0))) }
  case 3:
    let search = ThresholdSearch(thresholds, 3, fromTop: true)
    pack(done, 3, codes) { search.codes(dither.applied(load(values + $0), load(uniforms + $0))) }
  default:
    let search = ThresholdSearch(thresholds, 4, fromTop: true)
    pack(done, 4, codes) { search.codes(dither.applied(load(values + $0), load(uniforms + $0))) }
  }
  if done < count {
    encodeLogarithmicStage(
      values + done, uniforms + done, count &- done, levels, codes + done / 8 &* levels.bits)
  }
}

/// What stochastic rounding multiplies values by.
private struct Dither {
  private let log2Base, leastFactor: __m512

  @inline(__always)
  init(_ levels: LogarithmicLevels) {
    log2Base = _mm512_set1_ps(levels.log2Base)
    leastFactor = _mm512_set1_ps(levels.leastFactor)
  }

  @inline(__always)
  func applied(_ values: __m512, _ uniforms: __m512) -> __m512 {
    _mm512_mul_ps(values, _mm512_max_ps(exp2OfNegative(_mm512_mul_ps(uniforms, log2Base)), leastFactor))
  }
}

/// `exp2OfNegative` of sixteen values.
@inline(__always)
private func exp2OfNegative(_ x: __m512) -> __m512 {
  let shifter = _mm512_set1_ps(12_582_912)
  let shifted = _mm512_add_ps(x, shifter)
  let f = _mm512_sub_ps(x, _mm512_sub_ps(shifted, shifter))
  let square = _mm512_mul_ps(f, f)
  let low = _mm512_add_ps(_mm512_set1_ps(1), _mm512_mul_ps(_mm512_set1_ps(0.693147), f))
  let middle = _mm512_add_ps(_mm512_set1_ps(0.24022242), _mm512_mul_ps(_mm512_set1_ps(0.055507336), f))
  let high = _mm512_add_ps(_mm512_set1_ps(0.009671513), _mm512_mul_ps(_mm512_set1_ps(0.0013264727), f))
  let p = _mm512_add_ps(low, _mm512_mul_ps(square, _mm512_add_ps(middle, _mm512_mul_ps(square, high))))
  return unsafeBitCast(_mm512_add_epi32(bits(p), _mm512_slli_epi32(bits(shifted), 23)), to: __m512.self)
}

/// Packs a multiple of sixteen codes of a constant width. `sixteen` gives those of the elements from an index on.
@inline(__always)
private func pack(
  _ count: Int, _ bits: Int, _ codes: UnsafeMutablePointer<UInt8>, _ sixteen: (Int) -> __m512i
) {
  // Neighbouring codes side by side: first two in 2 · bits, then four in 4 · bits.
  let width = Int32(truncatingIfNeeded: bits)
  let pairWeights = _mm512_set1_epi16(Int16(truncatingIfNeeded: 1 | 256 &<< width))
  let fourWeights = _mm512_set1_epi32(1 | 0x1_0000 &<< (2 &* width))
  @inline(__always) func fours(_ a: __m512i, _ b: __m512i, _ c: __m512i, _ d: __m512i) -> __m512i {
    let pairs = _mm512_maddubs_epi16(packedBytes(a, b, c, d), pairWeights)
    return _mm512_permutexvar_epi32(orderOfPacked, _mm512_madd_epi16(pairs, fourWeights))
  }
  var i = 0
  while i &+ 64 <= count {
    let ordered = fours(sixteen(i), sixteen(i &+ 16), sixteen(i &+ 32), sixteen(i &+ 48))
    let first = UnsafeMutableRawPointer(codes + i / 8 &* bits)
    switch bits {
    case 2: first.storeBytes(of: _mm512_cvtepi32_epi8(ordered), as: __m128i.self)
    case 3:
      let packed = threeByteGroups(ordered)
      first.storeBytes(of: packed[0], as: Int64.self)
      first.storeBytes(of: packed[1], toByteOffset: 8, as: Int64.self)
      first.storeBytes(of: packed[2], toByteOffset: 16, as: Int64.self)
    default: first.storeBytes(of: _mm512_cvtepi32_epi16(ordered), as: __m256i.self)
    }
    i &+= 64
  }
  let zero = _mm512_setzero_si512()
  while i < count {
    let ordered = fours(sixteen(i), zero, zero, zero)
    let first = UnsafeMutableRawPointer(codes + i / 8 &* bits)
    switch bits {
    case 2:
      let packed = unsafeBitCast(_mm512_cvtepi32_epi8(ordered), to: SIMD4<UInt32>.self)
      first.storeBytes(of: packed[0], as: UInt32.self)
    case 3:
      let packed = threeByteGroups(ordered)[0]
      first.storeBytes(of: Int32(truncatingIfNeeded: packed), as: Int32.self)
      first.storeBytes(of: Int16(truncatingIfNeeded: packed &>> 32), toByteOffset: 4, as: Int16.self)
    default: first.storeBytes(of: _mm512_cvtepi32_epi16(ordered)[0], as: Int64.self)
    }
    i &+= 16
  }
}

/// Sixteen groups of four codes of three bits as 24 bytes.
@inline(__always)
private func threeByteGroups(_ fours: __m512i) -> __m512i {
  // Eight codes in the lowest three bytes of 64 bits; then the six bytes of each quarter; then those of all.
  let eights = _mm512_or_si512(fours, _mm512_srli_epi64(fours, 20))
  let used = SIMD16<Int8>(0, 1, 2, 8, 9, 10, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1)
  let quarters = _mm512_shuffle_epi8(eights, _mm512_broadcast_i32x4(unsafeBitCast(used, to: __m128i.self)))
  let order = SIMD32<UInt16>(
    0, 1, 2, 8, 9, 10, 16, 17, 18, 24, 25, 26, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3)
  return _mm512_permutexvar_epi16(unsafeBitCast(order, to: __m512i.self), quarters)
}
#endif
