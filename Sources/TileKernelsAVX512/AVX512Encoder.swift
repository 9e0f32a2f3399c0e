#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

/// 64 codes at a time by the arithmetic of `BinTables`, the rest by table.
@inline(never)
package func avx512EncodeBytes(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ map: ByteMap,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  let done = count & ~63
  let vectors = binVectors(map.bins)
  let factor = _mm512_set1_ps(reciprocal)
  let isSigned = map.isSigned
  var i = 0
  while i < done {
    let normalised = products(values + i, factor)
    store(isSigned ? signedCodes(normalised, vectors) : unsignedCodes(normalised, vectors), to: codes + i)
    i &+= 64
  }
  if done < count { encodeBytesStage(values + done, count &- done, reciprocal, map, codes + done) }
}

/// The bits of 64 values times a factor.
@inlinable @inline(__always)
package func products(_ values: UnsafePointer<Float>, _ factor: __m512) -> Four {
  (
    bits(_mm512_mul_ps(load(values), factor)), bits(_mm512_mul_ps(load(values + 16), factor)),
    bits(_mm512_mul_ps(load(values + 32), factor)), bits(_mm512_mul_ps(load(values + 48), factor))
  )
}

@inline(__always)
private func signedCodes(_ values: Four, _ map: BinVectors) -> __m512i {
  let magnitudes = limited(each(values) { magnitudeBits(floats($0)) })
  let regions = regions(upperHalves: upperHalves(magnitudes), map)
  return signedCodes(cells(magnitudes, regions, map), upperBytes(regions), upperBytes(upperHalves(values)))
}

/// Negative values, which an unsigned map does not have, take the code of zero.
@inline(__always)
private func unsignedCodes(_ values: Four, _ map: BinVectors) -> __m512i {
  let magnitudes = limited(each(values) { _mm512_max_epi32($0, _mm512_setzero_si512()) })
  let regions = regions(upperHalves: upperHalves(magnitudes), map)
  return unsignedCodes(cells(magnitudes, regions, map), upperBytes(regions))
}

/// Of half words in pairs, in the order of packing.
@inline(__always)
private func upperBytes(_ pairs: Two) -> __m512i {
  let order = unsafeBitCast(SIMD16<UInt8>(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15), to: __m128i.self)
  return _mm512_shuffle_epi8(
    _mm512_packus_epi16(_mm512_srli_epi16(pairs.0, 8), _mm512_srli_epi16(pairs.1, 8)),
    _mm512_broadcast_i32x4(order))
}

/// Magnitudes up to 1, beyond which there are no bins, and zero for what is no number. Values that a quantizer is given can
/// be either; those of steps are neither.
@inline(__always)
private func limited(_ magnitudes: Four) -> Four {
  let one = bits(_mm512_set1_ps(1))
  return each(magnitudes) { _mm512_maskz_min_epu32(isGreater(floats($0), _mm512_set1_ps(-1)), $0, one) }
}

@inlinable @inline(__always)
package func store(_ bytes: __m512i, to codes: UnsafeMutablePointer<UInt8>) {
  UnsafeMutableRawPointer(codes).storeBytes(of: bytes, as: __m512i.self)
}
#endif
