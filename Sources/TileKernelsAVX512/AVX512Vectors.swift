// What the files of this module and of the one for VBMI have in common.
#if arch(x86_64)
import _Builtin_intrinsics.intel

@inlinable @inline(__always)
package func load(_ pointer: UnsafePointer<Float>) -> __m512 {
  UnsafeRawPointer(pointer).loadUnaligned(as: __m512.self)
}

/// Calls `body` with memory on the stack for so many registers, and for so many more. What `body` calls must not be inlined:
/// the compiler would make a weak function of the closures here.
@inlinable @inline(__always)
package func withStackMemory(
  _ count: Int, _ otherCount: Int, _ body: (UnsafeMutableRawPointer, UnsafeMutableRawPointer) -> Int
) -> Int {
  withUnsafeTemporaryAllocation(of: SIMD64<UInt8>.self, capacity: count) { first in
    withUnsafeTemporaryAllocation(of: SIMD64<UInt8>.self, capacity: otherCount) { second in
      body(UnsafeMutableRawPointer(first.baseAddress!), UnsafeMutableRawPointer(second.baseAddress!))
    }
  }
}

@inlinable @inline(__always)
package func store(_ vector: __m512, to pointer: UnsafeMutablePointer<Float>) {
  UnsafeMutableRawPointer(pointer).storeBytes(of: vector, as: __m512.self)
}

@inlinable @inline(__always)
package func bits(_ vector: __m512) -> __m512i { unsafeBitCast(vector, to: __m512i.self) }

@inlinable @inline(__always)
package func floats(_ bits: __m512i) -> __m512 { unsafeBitCast(bits, to: __m512.self) }

@inlinable @inline(__always)
package func magnitudeBits(_ vector: __m512) -> __m512i {
  _mm512_and_si512(bits(vector), _mm512_set1_epi32(0x7fff_ffff))
}

/// The lanes where `a` > `b`. The intrinsic is a macro in C; this becomes the same comparison into a mask register.
@inlinable @inline(__always)
package func isGreater(_ a: __m512, _ b: __m512) -> __mmask16 {
  _mm512_movepi32_mask(unsafeBitCast(a .> b, to: __m512i.self))
}

/// The lanes' own numbers.
@inlinable @inline(__always)
package var laneNumbers: __m512i {
  unsafeBitCast(SIMD16<Int32>(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), to: __m512i.self)
}

/// first, first + step and so on, one a lane.
@inline(__always)
func lanes(from first: Int32 = 0, by step: Int32 = 1) -> __m512i {
  _mm512_add_epi32(_mm512_set1_epi32(first), _mm512_mullo_epi32(laneNumbers, _mm512_set1_epi32(step)))
}

/// The four bytes at `low` in the lower eight lanes, those at `high` in the others.
@inline(__always)
func broadcast(_ low: UnsafePointer<UInt8>, _ high: UnsafePointer<UInt8>) -> __m512i {
  let low = _mm512_set1_epi32(UnsafeRawPointer(low).loadUnaligned(as: Int32.self))
  let high = _mm512_set1_epi32(UnsafeRawPointer(high).loadUnaligned(as: Int32.self))
  return _mm512_mask_mov_epi32(low, 0xff00, high)
}

/// The largest lane of each of two vectors.
@inlinable @inline(__always)
package func largestLanes(_ a: __m512i, _ b: __m512i) -> (UInt32, UInt32) {
  // Both in one register: eight lanes of `a`, then eight of `b`.
  let firstHalves = _mm512_permutex2var_epi32(a, halves(0, 16), b)
  let secondHalves = _mm512_permutex2var_epi32(a, halves(8, 24), b)
  let of2 = _mm512_max_epu32(firstHalves, secondHalves)
  let of4 = _mm512_max_epu32(of2, _mm512_permutexvar_epi32(exchanged(4), of2))
  let of8 = _mm512_max_epu32(of4, _mm512_permutexvar_epi32(exchanged(2), of4))
  let of16 = _mm512_max_epu32(of8, _mm512_permutexvar_epi32(exchanged(1), of8))
  let result = unsafeBitCast(of16, to: SIMD16<UInt32>.self)
  return (result[0], result[8])
}

/// `a` … `a` + 7, then `b` … `b` + 7.
@inlinable @inline(__always)
func halves(_ a: Int32, _ b: Int32) -> __m512i {
  unsafeBitCast(
    SIMD16<Int32>(
      a, a &+ 1, a &+ 2, a &+ 3, a &+ 4, a &+ 5, a &+ 6, a &+ 7, b, b &+ 1, b &+ 2, b &+ 3, b &+ 4, b &+ 5, b &+ 6,
      b &+ 7), to: __m512i.self)
}

/// The lanes' own numbers, neighbouring groups of so many exchanged.
@inlinable @inline(__always)
func exchanged(_ distance: Int32) -> __m512i { _mm512_xor_si512(laneNumbers, _mm512_set1_epi32(distance)) }

/// What packing four registers of sixteen to bytes needs to bring the groups of four back in order: packing works within
/// quarters of a register.
@inlinable @inline(__always)
package var orderOfPacked: __m512i {
  unsafeBitCast(SIMD16<Int32>(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), to: __m512i.self)
}

/// 64 integers from 0 to 255 as bytes, those below as 0: in quarter q of the result, the q-th four of each register.
@inlinable @inline(__always)
package func packedBytes(_ a: __m512i, _ b: __m512i, _ c: __m512i, _ d: __m512i) -> __m512i {
  _mm512_packus_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d))
}
#endif
