#if arch(x86_64)
import TileKernels
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
    let (a, b, c, d) = sixtyFour(codes + i, map.bytePlanes)
    store(_mm512_mul_ps(a, scales), to: values + i)
    store(_mm512_mul_ps(b, scales), to: values + i + 16)
    store(_mm512_mul_ps(c, scales), to: values + i + 32)
    store(_mm512_mul_ps(d, scales), to: values + i + 48)
    i &+= 64
  }
  if done < count { decodeBytesStage(codes + done, count &- done, scale, map, values + done) }
}

@inline(__always)
func store(_ vector: __m512, to pointer: UnsafeMutablePointer<Float>) {
  UnsafeMutableRawPointer(pointer).storeBytes(of: vector, as: __m512.self)
}

@inline(__always)
private func load(_ pointer: UnsafePointer<UInt8>) -> __m512i {
  UnsafeRawPointer(pointer).loadUnaligned(as: __m512i.self)
}

/// The values of 64 codes, in order.
@inline(__always)
func sixtyFour(
  _ codes: UnsafePointer<UInt8>, _ planes: UnsafePointer<UInt8>
) -> (__m512, __m512, __m512, __m512) {
  // Unpacking works within quarters of the register: quarter q of the index takes every fourth group of four codes,
  // those at 4q in each of the four results.
  let order = SIMD16<Int32>(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)
  let index = _mm512_permutexvar_epi32(unsafeBitCast(order, to: __m512i.self), load(codes))
  let isUpperHalf = _mm512_movepi8_mask(index)

  @inline(__always)
  func plane(_ number: Int) -> __m512i {
    let table = planes + number &* 256
    let lower = _mm512_permutex2var_epi8(load(table), index, load(table + 64))
    let upper = _mm512_permutex2var_epi8(load(table + 128), index, load(table + 192))
    return _mm512_mask_mov_epi8(lower, isUpperHalf, upper)
  }

  let p0 = plane(0)
  let p1 = plane(1)
  let p2 = plane(2)
  let p3 = plane(3)
  let lowHalves0 = _mm512_unpacklo_epi8(p0, p1)
  let lowHalves1 = _mm512_unpackhi_epi8(p0, p1)
  let highHalves0 = _mm512_unpacklo_epi8(p2, p3)
  let highHalves1 = _mm512_unpackhi_epi8(p2, p3)
  return (
    unsafeBitCast(_mm512_unpacklo_epi16(lowHalves0, highHalves0), to: __m512.self),
    unsafeBitCast(_mm512_unpackhi_epi16(lowHalves0, highHalves0), to: __m512.self),
    unsafeBitCast(_mm512_unpacklo_epi16(lowHalves1, highHalves1), to: __m512.self),
    unsafeBitCast(_mm512_unpackhi_epi16(lowHalves1, highHalves1), to: __m512.self)
  )
}
#endif
