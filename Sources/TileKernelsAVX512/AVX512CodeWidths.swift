// Reading and writing codes of 2, 3 or 4 bits, whatever the width.
#if arch(x86_64)
import _Builtin_intrinsics.intel

/// Brings sixteen codes to the lowest bits of sixteen lanes. The bits above them are those of the next codes: a table of
/// fewer than sixteen entries has to be there more than once.
///
/// `distance` goes from the first eight codes to what the second eight are read from: no byte beyond the last code's is read.
typealias CodeReader = (bits: Int, shifts: __m512i, distance: Int)

/// - Parameter bits: per code.
@inline(__always)
func codeReader(bits: Int) -> CodeReader {
  let distance = 2 &* bits &- 4
  let all = lanes(by: Int32(truncatingIfNeeded: bits))
  let shifts = _mm512_mask_sub_epi32(
    all, 0xff00, all, _mm512_set1_epi32(Int32(truncatingIfNeeded: 8 &* distance)))
  return (bits: bits, shifts: shifts, distance: distance)
}

@inline(__always)
func sixteenCodes(_ codes: UnsafePointer<UInt8>, from element: Int, _ reader: CodeReader) -> __m512i {
  let first = codes + element / 8 &* reader.bits
  return _mm512_srlv_epi32(broadcast(first, first + reader.distance), reader.shifts)
}

/// In each lane, the code of so many bits that the lane's number reads as.
@inline(__always)
func lanesAsCodes(bits: Int) -> __m512i {
  _mm512_and_si512(lanes(), _mm512_set1_epi32((1 &<< Int32(truncatingIfNeeded: bits)) &- 1))
}

/// Groups of four codes of a constant width, in order.
@inline(__always)
private func fours(_ a: __m512i, _ b: __m512i, _ c: __m512i, _ d: __m512i, _ bits: Int) -> __m512i {
  // Neighbouring codes side by side: first two in 2 · bits, then four in 4 · bits.
  let width = Int32(truncatingIfNeeded: bits)
  let pairs = _mm512_maddubs_epi16(
    packedBytes(a, b, c, d), _mm512_set1_epi16(Int16(truncatingIfNeeded: 1 | 256 &<< width)))
  let fours = _mm512_madd_epi16(pairs, _mm512_set1_epi32(1 | 0x1_0000 &<< (2 &* width)))
  return _mm512_permutexvar_epi32(orderOfPacked, fours)
}

/// Writes 64 codes of a constant width.
@inline(__always)
func write(
  _ a: __m512i, _ b: __m512i, _ c: __m512i, _ d: __m512i, bits: Int, to codes: UnsafeMutablePointer<UInt8>,
  at element: Int
) {
  writeFours(fours(a, b, c, d, bits), bits: bits, to: codes, at: element)
}

/// Writes 64 codes whose upper half a lane is: the lower four bits of it, or as many as the code has, on top of a constant
/// whose lower eight bits are 0.
@inline(__always)
func writePlaces(
  _ a: __m512i, _ b: __m512i, _ c: __m512i, _ d: __m512i, bits: Int, to codes: UnsafeMutablePointer<UInt8>,
  at element: Int
) {
  let width = Int32(truncatingIfNeeded: bits)
  let pairFactors = _mm512_set1_epi32(1 | 0x1_0000 &<< width)
  @inline(__always) func pairs(_ a: __m512i, _ b: __m512i) -> __m512i {
    _mm512_madd_epi16(_mm512_permutex2var_epi16(a, everyOther(1), b), pairFactors)
  }
  // The lower bytes alone are codes.
  let words = _mm512_permutex2var_epi16(pairs(a, b), everyOther(0), pairs(c, d))
  let fours = _mm512_madd_epi16(
    bits == 2 ? words : _mm512_and_si512(words, _mm512_set1_epi16(0xff)),
    _mm512_set1_epi32(1 | 0x1_0000 &<< (2 &* width)))
  writeFours(fours, bits: bits, to: codes, at: element)
}

/// The even or the odd words of two vectors.
@inline(__always)
func everyOther(_ first: Int16) -> __m512i {
  let even = SIMD32<Int16>(
    0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42, 44, 46, 48, 50, 52, 54, 56, 58,
    60, 62)
  return _mm512_add_epi16(unsafeBitCast(even, to: __m512i.self), _mm512_set1_epi16(first))
}

/// Writes sixteen groups of four codes.
@inline(__always)
private func writeFours(_ ordered: __m512i, bits: Int, to codes: UnsafeMutablePointer<UInt8>, at element: Int) {
  let first = UnsafeMutableRawPointer(codes + element / 8 &* bits)
  switch bits {
  case 2: first.storeBytes(of: _mm512_cvtepi32_epi8(ordered), as: __m128i.self)
  case 3:
    let packed = threeByteGroups(ordered)
    first.storeBytes(of: packed[0], as: Int64.self)
    first.storeBytes(of: packed[1], toByteOffset: 8, as: Int64.self)
    first.storeBytes(of: packed[2], toByteOffset: 16, as: Int64.self)
  default: first.storeBytes(of: _mm512_cvtepi32_epi16(ordered), as: __m256i.self)
  }
}

/// Writes 32 codes of 2 or 3 bits: sixteen in the lowest bits of each integer.
@inline(__always)
func write(_ a: UInt64, _ b: UInt64, bits: Int, to codes: UnsafeMutablePointer<UInt8>, at element: Int) {
  let first = UnsafeMutableRawPointer(codes + element / 8 &* bits)
  switch bits {
  case 2: first.storeBytes(of: a | b &<< 32, as: UInt64.self)
  default:
    first.storeBytes(of: a | b &<< 48, as: UInt64.self)
    first.storeBytes(of: UInt32(truncatingIfNeeded: b &>> 16), toByteOffset: 8, as: UInt32.self)
  }
}

/// Writes sixteen codes of a constant width.
@inline(__always)
func write(_ a: __m512i, bits: Int, to codes: UnsafeMutablePointer<UInt8>, at element: Int) {
  let first = UnsafeMutableRawPointer(codes + element / 8 &* bits)
  let zero = _mm512_setzero_si512()
  let ordered = fours(a, zero, zero, zero, bits)
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
