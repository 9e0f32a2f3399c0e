#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

/// A block of 128: two rows of its eight groups are the lanes of a register.
@inline(never)
package func avx512FastQuantile(_ values: UnsafePointer<Float>, _ count: Int) -> Float {
  guard count == 128 else { return fastQuantileStage(values, count) }
  var minima = noMinima
  var i = 0
  while i < 128 {
    minima = smaller(minima, load(values + i))
    i &+= 16
  }
  return quantile(ofMinima: minima)
}

/// What the fast quantile of a block of 128 needs to know of its values, before the first sixteen.
@inline(__always)
var noMinima: __m512i { _mm512_set1_epi32(-1) }

/// The same after sixteen more.
@inline(__always)
func smaller(_ minima: __m512i, _ values: __m512) -> __m512i {
  // Bits less 1 order positive floats like the floats, and put zeros of either sign above them.
  _mm512_min_epu32(minima, _mm512_add_epi32(bits(values), _mm512_set1_epi32(-1)))
}

@inline(__always)
func quantile(ofMinima minima: __m512i) -> Float {
  let minima = _mm512_min_epu32(minima, _mm512_permutexvar_epi32(lanes(from: 8), minima))
  let noPositive = _mm512_set1_epi32(0x7fff_ffff)
  // The eight keys, twice.
  let keys = _mm512_and_si512(minima, noPositive)

  // How many of the keys are below each: in the lower half the first, third and so on, in the upper half the others.
  var below = _mm512_setzero_si512()
  var other: Int32 = 0
  while other < 8 {
    let others = _mm512_permutexvar_epi32(
      _mm512_mask_mov_epi32(_mm512_set1_epi32(other), 0xff00, _mm512_set1_epi32(other &+ 1)), keys)
    below = _mm512_add_epi32(below, isLess(others, keys))
    other &+= 2
  }
  below = _mm512_add_epi32(below, _mm512_permutexvar_epi32(lanes(from: 8), below))
  let isPresent = _mm512_movepi32_mask(_mm512_sub_epi32(keys, noPositive))
  let present = Int32(truncatingIfNeeded: isPresent.nonzeroBitCount / 2)
  if present == 0 { return 0 }
  let rank = (3 &* present &+ 3) / 4
  let isCandidate = isPresent & _mm512_movepi32_mask(_mm512_sub_epi32(below, _mm512_set1_epi32(rank)))
  let candidates = _mm512_maskz_mov_epi32(isCandidate, keys)
  return Float(bitPattern: largestLanes(candidates, candidates).0 &+ 1)
}

/// 1 in the lanes where `a` < `b`, for integers that are not negative.
@inline(__always)
private func isLess(_ a: __m512i, _ b: __m512i) -> __m512i { _mm512_srli_epi32(_mm512_sub_epi32(a, b), 31) }
#endif
