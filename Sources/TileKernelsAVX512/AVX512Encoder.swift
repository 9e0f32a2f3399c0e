#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

/// 64 codes at a time by the arithmetic of `DecadeTables`, the rest by table.
@inline(never)
package func avx512EncodeBytes(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ map: ByteMap,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  let done = count & ~63
  let vectors = decadeVectors(map.decades)
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
private func signedCodes(_ values: Four, _ map: DecadeVectors) -> __m512i {
  let (magnitudes, signs) = magnitudes(values)
  return signedCodes(levels(magnitudes, map), signs)
}

/// Negative values, which an unsigned map does not have, take the code of zero.
@inline(__always)
private func unsignedCodes(_ values: Four, _ map: DecadeVectors) -> __m512i {
  levels(each(values) { _mm512_max_epi32($0, _mm512_setzero_si512()) }, map)
}

@inline(__always)
private func levels(_ magnitudes: Four, _ map: DecadeVectors) -> __m512i {
  let regions = regions(magnitudes, lowerRegions(magnitudes, map), map)
  return levels(cells(magnitudes, regions, map), regions, map)
}

@inlinable @inline(__always)
package func store(_ bytes: __m512i, to codes: UnsafeMutablePointer<UInt8>) {
  UnsafeMutableRawPointer(codes).storeBytes(of: bytes, as: __m512i.self)
}
#endif
