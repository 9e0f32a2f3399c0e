// Decoding two moments of 4-bit codes side by side. Sixteen codes as bytes become sixteen lanes by a load alone, so the
// codes of 64 elements are first spread over bytes in memory.
#if arch(x86_64)
import _Builtin_intrinsics.intel

/// Writes two times 64 codes to 128 bytes, for `spreadSixteen`. What is above the lowest four bits of a byte is of no
/// meaning.
@inline(__always)
func spreadCodes(
  _ first: UnsafePointer<UInt8>, _ second: UnsafePointer<UInt8>, to indices: UnsafeMutableRawPointer
) {
  let codes: __m512i = SIMD8(
    lowHalf: UnsafeRawPointer(first).loadUnaligned(as: __m256i.self),
    highHalf: UnsafeRawPointer(second).loadUnaligned(as: __m256i.self))
  let odd = _mm512_srli_epi32(codes, 4)
  // In each quarter eight bytes and then eight more: the first and the third sixteen of both moments, then the others.
  store(_mm512_unpacklo_epi8(codes, odd), toAligned: indices)
  store(_mm512_unpackhi_epi8(codes, odd), toAligned: indices + 64)
}

/// By assignment: as a call of the standard library's, it would become a weak function where the loops are long.
@inline(__always)
func store(_ vector: __m512i, toAligned memory: UnsafeMutableRawPointer) {
  memory.assumingMemoryBound(to: __m512i.self).pointee = vector
}

/// A quarter of the 64 codes, in the lowest four bits of each lane.
@inline(__always)
func spreadSixteen(_ indices: UnsafeMutableRawPointer, _ quarter: Int) -> (first: __m512i, second: __m512i) {
  let bytes = indices + (64 &* (quarter & 1) &+ 16 &* (quarter &>> 1))
  return (
    first: _mm512_cvtepu8_epi32(bytes.load(as: __m128i.self)),
    second: _mm512_cvtepu8_epi32((bytes + 32).load(as: __m128i.self))
  )
}
#endif
