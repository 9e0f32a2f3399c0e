#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

/// A block of 128: its eight groups are the lanes of a register.
@inline(never)
package func avx2FastQuantile(_ values: UnsafePointer<Float>, _ count: Int) -> Float {
  guard count == 128 else { return fastQuantileStage(values, count) }
  let one = _mm256_set1_epi32(1)
  let noPositive = _mm256_set1_epi32(0x7fff_ffff)
  var minima = noPositive
  var i = 0
  while i < 128 {
    let bits = UnsafeRawPointer(values + i).loadUnaligned(as: __m256i.self)
    minima = _mm256_min_epi32(minima, _mm256_and_si256(_mm256_sub_epi32(bits, one), noPositive))
    i &+= 8
  }
  // Every key against the seven others.
  var minusBelow = _mm256_setzero_si256()
  var others = minima
  let next = unsafeBitCast(SIMD8<Int32>(1, 2, 3, 4, 5, 6, 7, 0), to: __m256i.self)
  for _ in 0..<7 {
    others = _mm256_permutevar8x32_epi32(others, next)
    minusBelow = _mm256_add_epi32(minusBelow, _mm256_cmpgt_epi32(minima, others))
  }
  let isPresent = _mm256_cmpgt_epi32(noPositive, minima)
  let present = Int32(truncatingIfNeeded: laneMask(isPresent).nonzeroBitCount)
  if present == 0 { return 0 }
  let rank = (3 &* present &+ 3) / 4
  // below < rank, where `minusBelow` is −below.
  let isCandidate = _mm256_and_si256(isPresent, _mm256_cmpgt_epi32(minusBelow, _mm256_set1_epi32(0 &- rank)))
  let key = largestLane(_mm256_and_si256(minima, isCandidate))
  return Float(bitPattern: UInt32(bitPattern: key) &+ 1)
}

@inline(__always)
private func laneMask(_ mask: __m256i) -> UInt32 {
  UInt32(bitPattern: _mm256_movemask_ps(unsafeBitCast(mask, to: __m256.self)))
}

/// The largest of eight integers, none negative.
@inline(__always)
private func largestLane(_ vector: __m256i) -> Int32 {
  let swap4 = unsafeBitCast(SIMD8<Int32>(4, 5, 6, 7, 0, 1, 2, 3), to: __m256i.self)
  let swap2 = unsafeBitCast(SIMD8<Int32>(2, 3, 0, 1, 6, 7, 4, 5), to: __m256i.self)
  let swap1 = unsafeBitCast(SIMD8<Int32>(1, 0, 3, 2, 5, 4, 7, 6), to: __m256i.self)
  let of2 = _mm256_max_epi32(vector, _mm256_permutevar8x32_epi32(vector, swap4))
  let of4 = _mm256_max_epi32(of2, _mm256_permutevar8x32_epi32(of2, swap2))
  let of8 = _mm256_max_epi32(of4, _mm256_permutevar8x32_epi32(of4, swap1))
  return unsafeBitCast(of8, to: SIMD8<Int32>.self)[0]
}
#endif
