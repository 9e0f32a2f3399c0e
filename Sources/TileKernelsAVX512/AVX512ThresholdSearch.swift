#if arch(x86_64)
import _Builtin_intrinsics.intel

// A tuple, like all that several files share here: a struct would bring along weak functions, which no kernel module may
// have.

/// Counts the thresholds below each of sixteen values by a binary search, for codes of a constant 2, 3 or 4 bits.
///
/// Each comparison that holds adds its power of two to the code, and the code so far says where the next threshold is.
/// Comparing floats gives no number the count 0, as the plain stages do.
typealias ThresholdSearch = (
  bits: Int, lowest: __m512i, highest: __m512i, middle: __m512, lower: __m512, upper: __m512,
  // The thresholds that the last but one and the last comparison choose from, where the codes so far find them.
  ofFour: __m512, ofEight: __m512, second: __m512i, third: __m512i, fourth: __m512i
)

/// - Parameters:
///   - thresholds: 2^bits − 1, ascending, in the first lanes.
///   - fromTop: the code is what the count lacks to the last code.
@inline(__always)
func thresholdSearch(_ thresholds: __m512, _ bits: Int, fromTop: Bool) -> ThresholdSearch {
  let last = (1 &<< Int32(truncatingIfNeeded: bits)) &- 1
  let half = (last &+ 1) / 2
  // Converted, because then the compiler does not know it: adding a known 1 where a mask says so would become three
  // instructions instead of one.
  @inline(__always) func step(_ size: Float) -> __m512i {
    _mm512_cvttps_epi32(_mm512_set1_ps(fromTop ? 0 - size : size))
  }
  /// The threshold `offset` places above the one that the code so far names.
  @inline(__always) func table(_ offset: Int32) -> __m512 {
    _mm512_permutexvar_ps(fromTop ? lanes(from: last &+ offset, by: -1) : lanes(from: offset), thresholds)
  }
  @inline(__always) func threshold(_ index: Int32) -> __m512 {
    _mm512_permutexvar_ps(_mm512_set1_epi32(index), thresholds)
  }
  return (
    bits: bits, lowest: _mm512_set1_epi32(fromTop ? last : 0),
    highest: _mm512_set1_epi32(fromTop ? last &- half : half), middle: threshold(half &- 1),
    lower: threshold(half / 2 &- 1), upper: threshold(half &+ half / 2 &- 1), ofFour: table(half / 4 &- 1),
    ofEight: table(0), second: step(Float(half / 2)), third: step(Float(half / 4)), fourth: step(1)
  )
}

@inline(__always)
func searched(_ values: __m512, _ search: ThresholdSearch) -> __m512i {
  let isUpper = isGreater(values, search.middle)
  let ofTwo = _mm512_mask_mov_ps(search.lower, isUpper, search.upper)
  var code = _mm512_mask_mov_epi32(search.lowest, isUpper, search.highest)
  code = _mm512_mask_add_epi32(code, isGreater(values, ofTwo), code, search.second)
  if search.bits > 2 {
    code = _mm512_mask_add_epi32(
      code, isGreater(values, _mm512_permutexvar_ps(code, search.ofFour)), code, search.third)
  }
  if search.bits > 3 {
    code = _mm512_mask_add_epi32(
      code, isGreater(values, _mm512_permutexvar_ps(code, search.ofEight)), code, search.fourth)
  }
  return code
}

/// Sixteen codes of `searched` of 2 or 3 bits, one after another in the lowest bits.
///
/// Comparisons leave one bit of each code in a mask register: depositing them costs the vector units nothing, unlike packing
/// lanes.
@inline(__always)
func packedSearched(_ values: __m512, _ search: ThresholdSearch) -> UInt64 {
  @inline(__always) func deposited(_ bits: __mmask16, _ mask: UInt64) -> UInt64 {
    _pdep_u64(UInt64(truncatingIfNeeded: bits), mask)
  }
  let isUpper = isGreater(values, search.middle)
  let isSecond = isGreater(values, _mm512_mask_mov_ps(search.lower, isUpper, search.upper))
  if search.bits == 2 { return deposited(isSecond, 0x5555_5555) | deposited(isUpper, 0xaaaa_aaaa) }
  var code = _mm512_mask_mov_epi32(search.lowest, isUpper, search.highest)
  code = _mm512_mask_add_epi32(code, isSecond, code, search.second)
  let isThird = isGreater(values, _mm512_permutexvar_ps(code, search.ofFour))
  return deposited(isThird, 0x2492_4924_9249) | deposited(isSecond, 0x4924_9249_2492)
    | deposited(isUpper, 0x9249_2492_4924)
}

/// Writes the codes of 64 values.
@inline(__always)
func write(
  _ values: Four, _ search: ThresholdSearch, to codes: UnsafeMutablePointer<UInt8>, at element: Int
) {
  @inline(__always) func sixteen(_ values: __m512i) -> UInt64 { packedSearched(floats(values), search) }
  write(sixteen(values.0), sixteen(values.1), bits: search.bits, to: codes, at: element)
  write(sixteen(values.2), sixteen(values.3), bits: search.bits, to: codes, at: element &+ 32)
}
#endif
