// Encoders whose result is the lowest bits of a sum: one fused multiplication and addition rounds once, to a whole number,
// because the sum's last bit is worth one. What lies above those bits falls away while packing.
#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

/// As `linearCodes`, but of no more than values from 0 to 1: their codes in the lowest 16 bits of each lane, −1 for 0.
///
/// 16·x − 1, rounded to nearest, but a tie goes to the lower code: the factor is the float below 16, which takes a tie
/// below itself, and moves no other value as far as to a tie.
@inline(__always)
func linearSums(_ values: __m512) -> __m512i {
  bits(_mm512_fmadd_ps(values, _mm512_set1_ps(0x1.fffffep3), _mm512_set1_ps(0x1.8p23 - 1)))
}

/// Finds codes by `NibbleCells`, whose spacing is a constant, as loops are made for each.
typealias NibbleSearch = (
  spacing: NibbleCells.Spacing, lowThresholds: __m512, highThresholds: __m512, codesUpTo: __m512i, codesAbove: __m512i,
  above: __m512i
)

/// Calls `body` with the search in a map.
@inline(__always)
func withSearch<Result>(_ map: UnsafePointer<NibbleVectors>, _ body: (NibbleSearch) -> Result) -> Result {
  switch map.pointee.cells.spacing {
  case .even: body(nibbleSearch(map, .even))
  case .doubling: body(nibbleSearch(map, .doubling))
  }
}

@inline(__always)
private func nibbleSearch(_ map: UnsafePointer<NibbleVectors>, _ spacing: NibbleCells.Spacing) -> NibbleSearch {
  let cells = map.pointee.cells
  return (
    spacing: spacing, lowThresholds: cells.lowThresholds, highThresholds: cells.highThresholds,
    codesUpTo: unsafeBitCast(cells.codesUpTo, to: __m512i.self),
    codesAbove: unsafeBitCast(cells.codesAbove, to: __m512i.self),
    // Converted, so that the compiler does not know it: see `thresholdSearch`.
    above: _mm512_cvttps_epi32(_mm512_set1_ps(32))
  )
}

/// What `packed` makes codes of, in the lowest 16 bits of each lane.
@inline(__always)
func keys(_ values: __m512, _ search: NibbleSearch) -> __m512i {
  let cells: __m512i
  switch search.spacing {
  case .even:
    cells = bits(
      _mm512_fmadd_ps(values, _mm512_set1_ps(NibbleCells.slope), _mm512_set1_ps(NibbleCells.offset)))
  case .doubling:
    let sums = _mm512_fmadd_ps(
      floats(magnitudeBits(values)), _mm512_set1_ps(NibbleCells.magnitudeSlope),
      _mm512_set1_ps(NibbleCells.magnitudeOffset))
    cells = _mm512_xor_si512(_mm512_srli_epi32(bits(sums), 21), _mm512_srai_epi32(bits(values), 31))
  }
  let threshold = _mm512_permutex2var_ps(search.lowThresholds, cells, search.highThresholds)
  return _mm512_mask_xor_epi32(cells, isGreater(values, threshold), cells, search.above)
}

/// 64 codes of four bits as bytes in words, as `storeOrdered` wants them.
@inline(__always)
func packed(_ a: __m512i, _ b: __m512i, _ c: __m512i, _ d: __m512i, _ search: NibbleSearch) -> __m512i {
  let (low, high) = (lowWords(a, b), lowWords(c, d))
  return pairs(
    _mm512_permutex2var_epi16(search.codesUpTo, low, search.codesAbove),
    _mm512_permutex2var_epi16(search.codesUpTo, high, search.codesAbove))
}

/// The same of `linearSums`.
@inline(__always)
func packedLinear(_ a: __m512i, _ b: __m512i, _ c: __m512i, _ d: __m512i) -> __m512i {
  pairs(lowWords(a, b), lowWords(c, d))
}

/// The lowest 16 bits of each lane, in order.
@inline(__always)
private func lowWords(_ a: __m512i, _ b: __m512i) -> __m512i {
  _mm512_permutex2var_epi16(a, everyOther(0), b)
}

/// Even + 16 · odd of 64 words, −1 as 0: in each quarter four of the first half, then four of the second.
@inline(__always)
private func pairs(_ low: __m512i, _ high: __m512i) -> __m512i {
  _mm512_maddubs_epi16(_mm512_packus_epi16(low, high), _mm512_set1_epi16(0x1001))
}

/// Writes the codes of 64 values.
@inline(__always)
func storeCodes(_ values: Four, _ search: NibbleSearch, to codes: UnsafeMutablePointer<UInt8>) {
  let keys = each(values) { TileKernelsAVX512.keys(floats($0), search) }
  // In each eighth there are four bytes of the first half, then four of the second.
  let bytes = _mm512_cvtepi16_epi8(packed(keys.0, keys.1, keys.2, keys.3, search))
  let order = unsafeBitCast(SIMD8<Int32>(0, 2, 4, 6, 1, 3, 5, 7), to: __m256i.self)
  UnsafeMutableRawPointer(codes).storeBytes(of: _mm256_permutevar8x32_epi32(bytes, order), as: __m256i.self)
}

/// Writes 64 codes of each of two moments.
@inline(__always)
func storeOrdered(
  _ first: __m512i, to firstCodes: UnsafeMutablePointer<UInt8>, _ second: __m512i,
  to secondCodes: UnsafeMutablePointer<UInt8>
) {
  // In each quarter there now are four bytes of the first half of `first`, four of its second half; then of `second`.
  let bytes = _mm512_permutexvar_epi32(orderOfPacked, _mm512_packus_epi16(first, second))
  UnsafeMutableRawPointer(firstCodes).storeBytes(of: bytes.lowHalf, as: SIMD4<Int64>.self)
  UnsafeMutableRawPointer(secondCodes).storeBytes(of: bytes.highHalf, as: SIMD4<Int64>.self)
}
#endif
