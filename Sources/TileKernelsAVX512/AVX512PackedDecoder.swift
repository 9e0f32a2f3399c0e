#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

/// 16 values at a time: every lane shifts its code to the lowest bits, which then index a register of sixteen levels. The
/// index has four bits: levels of fewer bits are there more than once.
@inline(never)
package func avx512DecodeLevels(
  _ codes: UnsafePointer<UInt8>, _ count: Int, _ bits: Int, _ levels: UnsafePointer<Float>,
  _ values: UnsafeMutablePointer<Float>
) {
  let done = count & ~15
  switch bits {
  case 2:
    let shifts = lanes(by: 2)
    decode(codes, done, 2, levels, values) { _mm512_srlv_epi32(broadcast($0), shifts) }
  case 3:
    // Sixteen codes are six bytes: the second eight are read two bytes on, so as not to read beyond the sixth.
    let shifts = _mm512_mask_sub_epi32(lanes(by: 3), 0xff00, lanes(by: 3), _mm512_set1_epi32(16))
    decode(codes, done, 3, levels, values) { _mm512_srlv_epi32(broadcast($0, $0 + 2), shifts) }
  default:
    let shifts = _mm512_and_si512(lanes(by: 4), _mm512_set1_epi32(31))
    decode(codes, done, 4, levels, values) { _mm512_srlv_epi32(broadcast($0, $0 + 4), shifts) }
  }
  if done < count { decodeLevelsStage(codes + done / 8 &* bits, count &- done, bits, levels, values + done) }
}

@inline(__always)
private func decode(
  _ codes: UnsafePointer<UInt8>, _ count: Int, _ bits: Int, _ levels: UnsafePointer<Float>,
  _ values: UnsafeMutablePointer<Float>, _ index: (UnsafePointer<UInt8>) -> __m512i
) {
  let mask = _mm512_set1_epi32(1 &<< Int32(truncatingIfNeeded: bits) &- 1)
  let table = _mm512_permutexvar_ps(_mm512_and_si512(lanes(), mask), load(levels))
  var i = 0
  while i < count {
    store(_mm512_permutexvar_ps(index(codes + i / 8 &* bits), table), to: values + i)
    i &+= 16
  }
}

@inline(__always)
private func broadcast(_ bytes: UnsafePointer<UInt8>) -> __m512i {
  _mm512_set1_epi32(UnsafeRawPointer(bytes).loadUnaligned(as: Int32.self))
}
#endif
