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
    let search = thresholdSearch(thresholds, 2, fromTop: false)
    pack(done, 2, codes) { searched(_mm512_mul_ps(load(values + $0), factor), search) }
  } else {
    let search = thresholdSearch(thresholds, 3, fromTop: false)
    pack(done, 3, codes) { searched(_mm512_mul_ps(load(values + $0), factor), search) }
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
  let dither = dither(log2Base: levels.log2Base, leastFactor: levels.leastFactor)
  let thresholds = load(levels.thresholds)
  switch levels.bits {
  case 2:
    let search = thresholdSearch(thresholds, 2, fromTop: true)
    pack(done, 2, codes) { searched(dithered(load(values + $0), load(uniforms + $0), dither), search) }
  case 3:
    let search = thresholdSearch(thresholds, 3, fromTop: true)
    pack(done, 3, codes) { searched(dithered(load(values + $0), load(uniforms + $0), dither), search) }
  default:
    let search = thresholdSearch(thresholds, 4, fromTop: true)
    pack(done, 4, codes) { searched(dithered(load(values + $0), load(uniforms + $0), dither), search) }
  }
  if done < count {
    encodeLogarithmicStage(
      values + done, uniforms + done, count &- done, levels, codes + done / 8 &* levels.bits)
  }
}

/// Stochastic rounding's factors: base^uniform, and the least.
typealias Dither = (log2Base: __m512, leastFactor: __m512)

/// - Parameter scale: the uniforms come divided by this power of two, which changes no bit of the exponents.
@inline(__always)
func dither(log2Base: Float, leastFactor: Float, scale: Float = 1) -> Dither {
  (log2Base: _mm512_set1_ps(log2Base * scale), leastFactor: _mm512_set1_ps(leastFactor))
}

@inline(__always)
func dithered(_ values: __m512, _ uniforms: __m512, _ dither: Dither) -> __m512 {
  let factors = exp2OfNegative(_mm512_mul_ps(uniforms, dither.log2Base))
  return _mm512_mul_ps(values, _mm512_max_ps(factors, dither.leastFactor))
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
  return floats(_mm512_add_epi32(bits(p), _mm512_slli_epi32(bits(shifted), 23)))
}

/// Packs a multiple of sixteen codes of a constant width. `sixteen` gives those of the elements from an index on.
@inline(__always)
private func pack(
  _ count: Int, _ bits: Int, _ codes: UnsafeMutablePointer<UInt8>, _ sixteen: (Int) -> __m512i
) {
  var i = 0
  while i &+ 64 <= count {
    write(sixteen(i), sixteen(i &+ 16), sixteen(i &+ 32), sixteen(i &+ 48), bits: bits, to: codes, at: i)
    i &+= 64
  }
  while i < count {
    write(sixteen(i), bits: bits, to: codes, at: i)
    i &+= 16
  }
}
#endif
