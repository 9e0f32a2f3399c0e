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

@inlinable @inline(__always)
package func each(_ a: Four, _ body: (__m512i) -> __m512i) -> Four { (body(a.0), body(a.1), body(a.2), body(a.3)) }

@inlinable @inline(__always)
package func each(_ a: Four, _ b: Four, _ body: (__m512i, __m512i) -> __m512i) -> Four {
  (body(a.0, b.0), body(a.1, b.1), body(a.2, b.2), body(a.3, b.3))
}

/// 64 half words.
@usableFromInline
package typealias Two = (__m512i, __m512i)

/// `BinTables`, one a register.
@usableFromInline
package typealias BinVectors = (
  /// In half words.
  firstUpperHalf: __m512i, factor: __m512i, lines: __m512i, upperLines: __m512i,
  slopes: __m512, offsets: __m512,
  /// In bytes.
  bases: __m512i
)

@inlinable @inline(__always)
package func binVectors(_ tables: UnsafePointer<BinTables>) -> BinVectors {
  let tables = tables.pointee
  return (
    firstUpperHalf: _mm512_set1_epi16(Int16(truncatingIfNeeded: tables.firstUpperHalf)),
    factor: _mm512_set1_epi16(Int16(truncatingIfNeeded: tables.factor)),
    lines: unsafeBitCast(tables.lines.0, to: __m512i.self), upperLines: unsafeBitCast(tables.lines.1, to: __m512i.self),
    slopes: tables.slopes, offsets: tables.offsets,
    bases: _mm512_broadcast_i32x4(unsafeBitCast(tables.bases, to: __m128i.self))
  )
}

// MARK: - The parts

/// Where 64 magnitudes are in a map: their lines, in half words ordered as packing orders them.
@inlinable @inline(__always)
package func lines(_ magnitudes: Four, _ map: BinVectors) -> Two { lines(upperHalves: upperHalves(magnitudes), map) }

/// The same of signed values, and which of them are negative, in that order.
@inlinable @inline(__always)
package func signedLines(_ values: Four, _ map: BinVectors) -> (lines: Two, areNegative: __mmask64) {
  let halves = upperHalves(values)
  let magnitude = _mm512_set1_epi16(Int16.max)
  let magnitudes = (_mm512_and_si512(halves.0, magnitude), _mm512_and_si512(halves.1, magnitude))
  return (lines(upperHalves: magnitudes, map), _mm512_movepi8_mask(_mm512_packs_epi16(halves.0, halves.1)))
}

@inlinable @inline(__always)
func lines(upperHalves: Two, _ map: BinVectors) -> Two {
  @inline(__always) func lines(_ upperHalves: __m512i) -> __m512i {
    let bins = _mm512_mulhi_epu16(_mm512_subs_epu16(upperHalves, map.firstUpperHalf), map.factor)
    return _mm512_permutex2var_epi16(map.lines, bins, map.upperLines)
  }
  return (lines(upperHalves.0), lines(upperHalves.1))
}

@inlinable @inline(__always)
func upperHalves(_ values: Four) -> Two {
  (
    _mm512_permutex2var_epi16(values.0, orderOfUpperHalves, values.1),
    _mm512_permutex2var_epi16(values.2, orderOfUpperHalves, values.3)
  )
}

@inlinable @inline(__always)
var orderOfUpperHalves: __m512i {
  unsafeBitCast(
    SIMD32<Int16>(
      1, 3, 5, 7, 33, 35, 37, 39, 9, 11, 13, 15, 41, 43, 45, 47, 17, 19, 21, 23, 49, 51, 53, 55, 25, 27, 29, 31, 57, 59,
      61, 63), to: __m512i.self)
}

/// Each magnitude's cell on its line.
@inlinable @inline(__always)
package func cells(_ magnitudes: Four, _ lines: Two, _ map: BinVectors) -> Four {
  // Permutations look at the lowest bits only: what else is in a word does not matter.
  let lines = (
    _mm512_unpacklo_epi16(lines.0, lines.0), _mm512_unpackhi_epi16(lines.0, lines.0),
    _mm512_unpacklo_epi16(lines.1, lines.1), _mm512_unpackhi_epi16(lines.1, lines.1)
  )
  let slopes = each(lines) { bits(_mm512_permutexvar_ps($0, map.slopes)) }
  let products = each(magnitudes, slopes) { bits(_mm512_mul_ps(floats($0), floats($1))) }
  let offsets = each(lines) { bits(_mm512_permutexvar_ps($0, map.offsets)) }
  let sums = each(products, offsets) { bits(_mm512_add_ps(floats($0), floats($1))) }
  return each(sums) { _mm512_cvttps_epi32(floats($0)) }
}

/// The codes of an unsigned map: the levels, but zero for zero.
@inlinable @inline(__always)
package func unsignedCodes(_ cells: Four, _ magnitudes: Four, _ lines: Two, _ map: BinVectors) -> __m512i {
  // Packing makes nothing but zero of zero, and of other magnitudes no less than their levels: the bits of those that
  // saturation does not raise to 255 are few.
  let limits = _mm512_packus_epi16(
    _mm512_packs_epi32(magnitudes.0, magnitudes.1), _mm512_packs_epi32(magnitudes.2, magnitudes.3))
  return _mm512_permutexvar_epi32(orderOfPacked, _mm512_min_epu8(packedLevels(cells, lines, map), limits))
}

/// The codes of a signed map. There is no level −128: what is below the lowest takes its code.
@inlinable @inline(__always)
package func signedCodes(_ cells: Four, _ lines: Two, _ areNegative: __mmask64, _ map: BinVectors) -> __m512i {
  let levels = packedLevels(cells, lines, map)
  let zero = _mm512_set1_epi8(127)
  return _mm512_permutexvar_epi32(
    orderOfPacked, _mm512_mask_subs_epu8(_mm512_add_epi8(zero, levels), areNegative, zero, levels))
}

@inlinable @inline(__always)
func packedLevels(_ cells: Four, _ lines: Two, _ map: BinVectors) -> __m512i {
  _mm512_add_epi8(
    _mm512_shuffle_epi8(map.bases, _mm512_packus_epi16(lines.0, lines.1)),
    _mm512_packs_epi16(_mm512_packs_epi32(cells.0, cells.1), _mm512_packs_epi32(cells.2, cells.3)))
}
#endif
