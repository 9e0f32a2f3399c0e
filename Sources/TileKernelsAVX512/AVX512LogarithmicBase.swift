#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

/// `LogarithmicBase` of eight blocks: what it stores, in the lower halves. The logarithm of 1, where the base is 1, is 0.
@inline(__always)
func logarithmicBases(_ quantiles: __m512, _ largest: __m512, lastCode: Int) -> (base: __m512, log2: __m512) {
  let quantiles = _mm512_max_pd(widened(quantiles), _mm512_set1_pd(0x1.0001p-126))
  let log2 = _mm512_mul_pd(binaryLogarithm(quantiles, over: widened(largest)), _mm512_set1_pd(1 / Double(lastCode)))
  // Below 0 where the quantile is below the largest value: floats are further apart than the logarithm's error.
  let isBelow = _mm512_movepi64_mask(unsafeBitCast(log2, to: __m512i.self))
  return (
    base: _mm512_mask_mov_ps(_mm512_set1_ps(1), __mmask16(isBelow), narrowed(power(log2))),
    log2: _mm512_maskz_mov_ps(__mmask16(isBelow), narrowed(log2))
  )
}

@inline(__always)
func widened(_ values: __m512) -> __m512d {
  _mm512_cvtps_pd(values.lowHalf)
}

@inline(__always)
func narrowed(_ values: __m512d) -> __m512 {
  let floats = _mm512_cvtpd_ps(values)
  return SIMD16(lowHalf: floats, highHalf: floats)
}

@inline(__always)
private func bits(_ vector: __m512d) -> __m512i { unsafeBitCast(vector, to: __m512i.self) }

@inline(__always)
private func add(_ a: Double, _ b: Double, times x: __m512d) -> __m512d {
  _mm512_add_pd(_mm512_set1_pd(a), _mm512_mul_pd(_mm512_set1_pd(b), x))
}

/// `LogarithmicBase.log2`, with the same roundings.
@inline(__always)
func binaryLogarithm(_ a: __m512d, over b: __m512d) -> __m512d {
  let exponents = _mm512_cvtepi64_pd(
    _mm512_sub_epi64(_mm512_srli_epi64(bits(a), 52), _mm512_srli_epi64(bits(b), 52)))
  let (a, b) = (mantissas(a), mantissas(b))
  let s = _mm512_div_pd(_mm512_sub_pd(a, b), _mm512_add_pd(a, b))
  let z = _mm512_mul_pd(s, s)
  let low = add(2.885390093207322, 0.9617916156371933, times: z)
  let middle = add(0.577437403432612, 0.4033861319942692, times: z)
  let square = _mm512_mul_pd(z, z)
  let high = _mm512_add_pd(middle, _mm512_mul_pd(square, _mm512_set1_pd(0.40652785075660114)))
  return _mm512_add_pd(exponents, _mm512_mul_pd(s, _mm512_add_pd(low, _mm512_mul_pd(square, high))))
}

/// In 1..<2.
@inline(__always)
private func mantissas(_ values: __m512d) -> __m512d {
  let fractions = _mm512_and_si512(bits(values), _mm512_set1_epi64(0x000f_ffff_ffff_ffff))
  return unsafeBitCast(_mm512_or_si512(fractions, _mm512_set1_epi64(0x3ff0_0000_0000_0000)), to: __m512d.self)
}

/// `LogarithmicBase.exp2`, with the same roundings.
@inline(__always)
private func power(_ x: __m512d) -> __m512d {
  let shifter = _mm512_set1_pd(0x1.8p52)
  let shifted = _mm512_add_pd(x, shifter)
  let f = _mm512_sub_pd(x, _mm512_sub_pd(shifted, shifter))
  let low = add(1, 0.6931472028551982, times: f)
  let middle = add(0.2402264791361709, 0.05550332470810987, times: f)
  let high = add(0.009618437358154007, 0.001339887454637971, times: f)
  let square = _mm512_mul_pd(f, f)
  let upper = _mm512_add_pd(high, _mm512_mul_pd(square, _mm512_set1_pd(0.0001535336206107355)))
  let p = _mm512_add_pd(low, _mm512_mul_pd(square, _mm512_add_pd(middle, _mm512_mul_pd(square, upper))))
  return unsafeBitCast(_mm512_add_epi64(bits(p), _mm512_slli_epi64(bits(shifted), 52)), to: __m512d.self)
}
#endif
