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
  let limited = each(values) {
    let one = _mm512_castps_si512(_mm512_set1_ps(1))
    let magnitude = _mm512_min_epu32(magnitudeBits(floats($0)), one)
    // No number is zero.
    let signed = _mm512_or_si512(magnitude, _mm512_and_si512($0, _mm512_set1_epi32(Int32.min)))
    return _mm512_maskz_mov_epi32(isNumber(floats($0)), signed)
  }
  let (lines, areNegative) = signedLines(limited, map)
  return signedCodes(cells(each(limited) { magnitudeBits(floats($0)) }, lines, map), lines, areNegative, map)
}

/// Negative values, which an unsigned map does not have, take the code of zero.
@inline(__always)
private func unsignedCodes(_ values: Four, _ map: BinVectors) -> __m512i {
  let limited = each(values) {
    let one = _mm512_castps_si512(_mm512_set1_ps(1))
    return _mm512_maskz_min_epi32(isNumber(floats($0)), _mm512_max_epi32($0, _mm512_setzero_si512()), one)
  }
  let lines = lines(limited, map)
  return unsignedCodes(cells(limited, lines, map), limited, lines, map)
}

@inline(__always)
private func isNumber(_ values: __m512) -> __mmask16 {
  isGreater(floats(magnitudeBits(values)), _mm512_set1_ps(-1))
}

@inlinable @inline(__always)
package func store(_ bytes: __m512i, to codes: UnsafeMutablePointer<UInt8>) {
  UnsafeMutableRawPointer(codes).storeBytes(of: bytes, as: __m512i.self)
}
#endif
