#if arch(x86_64)
import TileKernels
import TileKernelsAVX512
import _Builtin_intrinsics.intel

/// 64 values at a time: each of a float's four bytes comes out of a table of 256 bytes that fits into four registers.
@inline(never)
package func vbmiDecodeBytes(
  _ codes: UnsafePointer<UInt8>, _ count: Int, _ scale: Float, _ map: ByteMap, _ values: UnsafeMutablePointer<Float>
) {
  let done = count & ~63
  let scales = _mm512_set1_ps(scale)
  var i = 0
  while i < done {
    let unscaled = interleaved(
      map.isSigned ? signedBytes(codes + i, map.bytePlanes) : bytes(codes + i, map.bytePlanes))
    store(each(unscaled) { bits(_mm512_mul_ps(floats($0), scales)) }, to: values + i)
    i &+= 64
  }
  if done < count { decodeBytesStage(codes + done, count &- done, scale, map, values + done) }
}

@inline(__always)
func store(_ values: Four, to pointer: UnsafeMutablePointer<Float>) {
  store(floats(values.0), to: pointer)
  store(floats(values.1), to: pointer + 16)
  store(floats(values.2), to: pointer + 32)
  store(floats(values.3), to: pointer + 48)
}

/// The four bytes of the values of 64 codes in an unsigned map, as `interleaved` wants them.
@inline(__always)
func bytes(_ codes: UnsafePointer<UInt8>, _ planes: UnsafePointer<UInt8>) -> Four {
  let codes = inQuarters(load(codes))
  let areUpper = _mm512_movepi8_mask(codes)

  @inline(__always)
  func plane(_ number: Int) -> __m512i {
    let table = planes + number &* 256
    let lower = _mm512_permutex2var_epi8(load(table), codes, load(table + 64))
    let upper = _mm512_permutex2var_epi8(load(table + 128), codes, load(table + 192))
    return _mm512_mask_mov_epi8(lower, areUpper, upper)
  }

  return (plane(0), plane(1), plane(2), plane(3))
}

/// The same in the signed dynamic map, which has half as many levels as codes.
@inline(__always)
func signedBytes(_ codes: UnsafePointer<UInt8>, _ planes: UnsafePointer<UInt8>) -> Four {
  let codes = inQuarters(load(codes))
  let levels = _mm512_sub_epi8(codes, _mm512_set1_epi8(127))
  // The level of +1 does not fit into seven bits: what is left of it is that of zero, in whose place the bytes of +1 are.
  let magnitudes = _mm512_abs_epi8(levels)
  let areNotZero = _mm512_test_epi8_mask(levels, levels)

  @inline(__always)
  func plane(_ number: Int) -> __m512i {
    let table = planes + (number &* 256 &+ 127)
    return _mm512_permutex2var_epi8(load(table), magnitudes, load(table + 64))
  }

  // Codes below 128 are of negative values, or of zero. The two lower bytes of +1 are zero as they are.
  let signs = _mm512_andnot_si512(codes, _mm512_set1_epi8(-0x80))
  return (
    plane(0), plane(1), _mm512_maskz_mov_epi8(areNotZero, plane(2)), _mm512_maskz_add_epi8(areNotZero, plane(3), signs)
  )
}

@inline(__always)
func load(_ pointer: UnsafePointer<UInt8>) -> __m512i {
  _mm512_loadu_si512(pointer)
}

/// Unpacking works within quarters of the register: quarter q takes every fourth group of four codes, those at 4q in each
/// of the four results.
@inline(__always)
private func inQuarters(_ codes: __m512i) -> __m512i { _mm512_permutexvar_epi32(orderOfPacked, codes) }

/// Values from their bytes, the lowest first.
@inline(__always)
func interleaved(_ bytes: Four) -> Four {
  let lowHalves0 = _mm512_unpacklo_epi8(bytes.0, bytes.1)
  let lowHalves1 = _mm512_unpackhi_epi8(bytes.0, bytes.1)
  let highHalves0 = _mm512_unpacklo_epi8(bytes.2, bytes.3)
  let highHalves1 = _mm512_unpackhi_epi8(bytes.2, bytes.3)
  return (
    _mm512_unpacklo_epi16(lowHalves0, highHalves0), _mm512_unpackhi_epi16(lowHalves0, highHalves0),
    _mm512_unpacklo_epi16(lowHalves1, highHalves1), _mm512_unpackhi_epi16(lowHalves1, highHalves1)
  )
}
#endif
