// 64 codes of a dynamic map from values, in registers. Each function is one part of the way, for four registers at once:
// their callers let the parts of two moments take turns, since a scheduler that sees only one chain of instructions that
// depend on each other has nothing to do half of the time.
#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

// Tuples, because structs would bring along weak functions, which no kernel module may have.

/// The bits of 64 values, or as many integers.
@usableFromInline
package typealias Four = (__m512i, __m512i, __m512i, __m512i)
@usableFromInline
package typealias FourMasks = (__mmask16, __mmask16, __mmask16, __mmask16)

@inlinable @inline(__always)
package func each(_ a: Four, _ body: (__m512i) -> __m512i) -> Four { (body(a.0), body(a.1), body(a.2), body(a.3)) }

@inlinable @inline(__always)
package func each(_ a: Four, _ b: Four, _ body: (__m512i, __m512i) -> __m512i) -> Four {
  (body(a.0, b.0), body(a.1, b.1), body(a.2, b.2), body(a.3, b.3))
}

/// `DecadeTables`, one a register.
@usableFromInline
package typealias DecadeVectors = (
  regions: __m512i, ends: __m512, slopes: __m512, offsets: __m512,
  /// In bytes.
  bases: __m512i, lasts: __m512i,
  one: __m512i
)

@inlinable @inline(__always)
package func decadeVectors(_ tables: UnsafePointer<DecadeTables>) -> DecadeVectors {
  let tables = tables.pointee
  return (
    regions: fourTimes(tables.regions), ends: SIMD16(lowHalf: tables.ends, highHalf: SIMD8()),
    slopes: SIMD16(lowHalf: tables.slopes, highHalf: SIMD8()),
    offsets: SIMD16(lowHalf: tables.offsets, highHalf: SIMD8()), bases: fourTimes(tables.bases),
    lasts: fourTimes(tables.lasts),
    // Converted, because then the compiler does not know it: adding a known 1 where a mask says so would become three
    // instructions instead of one.
    one: _mm512_cvttps_epi32(_mm512_set1_ps(1))
  )
}

@inlinable @inline(__always)
func fourTimes(_ bytes: SIMD16<UInt8>) -> __m512i { _mm512_broadcast_i32x4(unsafeBitCast(bytes, to: __m128i.self)) }

// MARK: - The parts

/// Magnitudes whose order is that of the levels. A negative value on a threshold belongs to the lower code: its sign goes,
/// and a unit of magnitude comes.
@inlinable @inline(__always)
package func magnitudes(_ values: Four) -> (magnitudes: Four, signs: FourMasks) {
  let signs = (
    _mm512_movepi32_mask(values.0), _mm512_movepi32_mask(values.1), _mm512_movepi32_mask(values.2),
    _mm512_movepi32_mask(values.3)
  )
  return (masked(values, signs, _mm512_set1_epi32(Int32.min &+ 1)), signs)
}

/// The first of the two regions that each magnitude can be in.
@inlinable @inline(__always)
package func lowerRegions(_ magnitudes: Four, _ map: DecadeVectors) -> Four {
  // The table's index is four bits of the exponent. Below the smallest octave pair that it tells apart is all one.
  let octavePairs = each(magnitudes) { _mm512_srli_epi32(_mm512_max_epu32($0, _mm512_set1_epi32(48 << 24)), 24) }
  return each(octavePairs) { _mm512_shuffle_epi8(map.regions, $0) }
}

@inlinable @inline(__always)
package func regions(_ magnitudes: Four, _ lower: Four, _ map: DecadeVectors) -> Four {
  let ends = each(lower) { bits(_mm512_permutexvar_ps($0, map.ends)) }
  @inline(__always) func isAbove(_ magnitude: __m512i, _ end: __m512i) -> __mmask16 {
    isGreater(floats(magnitude), floats(end))
  }
  let areAbove = (
    isAbove(magnitudes.0, ends.0), isAbove(magnitudes.1, ends.1), isAbove(magnitudes.2, ends.2),
    isAbove(magnitudes.3, ends.3)
  )
  return masked(lower, areAbove, map.one)
}

/// Each magnitude's cell in its region, or the one after the last.
@inlinable @inline(__always)
package func cells(_ magnitudes: Four, _ regions: Four, _ map: DecadeVectors) -> Four {
  let slopes = each(regions) { bits(_mm512_permutexvar_ps($0, map.slopes)) }
  let products = each(magnitudes, slopes) { bits(_mm512_mul_ps(floats($0), floats($1))) }
  let offsets = each(regions) { bits(_mm512_permutexvar_ps($0, map.offsets)) }
  let sums = each(products, offsets) { bits(_mm512_add_ps(floats($0), floats($1))) }
  return each(sums) { _mm512_cvttps_epi32(floats($0)) }
}

/// The levels, in bytes: the codes of an unsigned map.
@inlinable @inline(__always)
package func levels(_ cells: Four, _ regions: Four, _ map: DecadeVectors) -> __m512i {
  let regions = packedBytes(regions.0, regions.1, regions.2, regions.3)
  let levels = _mm512_min_epu8(
    _mm512_add_epi8(_mm512_shuffle_epi8(map.bases, regions), packedBytes(cells.0, cells.1, cells.2, cells.3)),
    _mm512_shuffle_epi8(map.lasts, regions))
  return _mm512_permutexvar_epi32(orderOfPacked, levels)
}

/// The codes of a signed map. There is no level −128: what is below the lowest takes its code.
@inlinable @inline(__always)
package func signedCodes(_ levels: __m512i, _ signs: FourMasks) -> __m512i {
  let lower = _mm512_kunpackw(UInt32(signs.1), UInt32(signs.0))
  let upper = _mm512_kunpackw(UInt32(signs.3), UInt32(signs.2))
  let zero = _mm512_set1_epi8(127)
  return _mm512_mask_subs_epu8(
    _mm512_add_epi8(zero, levels), _mm512_kunpackd(UInt64(upper), UInt64(lower)), zero, levels)
}

/// `values`, and `addend` added where the masks say so.
@inlinable @inline(__always)
func masked(_ values: Four, _ masks: FourMasks, _ addend: __m512i) -> Four {
  (
    _mm512_mask_add_epi32(values.0, masks.0, values.0, addend),
    _mm512_mask_add_epi32(values.1, masks.1, values.1, addend),
    _mm512_mask_add_epi32(values.2, masks.2, values.2, addend),
    _mm512_mask_add_epi32(values.3, masks.3, values.3, addend)
  )
}
#endif
