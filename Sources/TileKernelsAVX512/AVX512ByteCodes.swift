// 64 codes of a dynamic map from values, in registers. Each function is one part of the way, for four registers at once:
// their callers let the parts of two moments take turns, since a scheduler that sees only one chain of instructions that
// depend on each other has nothing to do half of the time.
//
// Half words come in pairs: the lower is of the first or third register, the upper of the second or fourth. Then a pair is
// the first register's index as it is, for permutations look at the lowest bits only, and shifted it is the second's.
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

/// 64 half words, in pairs.
@usableFromInline
package typealias Two = (__m512i, __m512i)

/// `BinTables`, one a register.
@usableFromInline
package typealias BinVectors = (regions: Two, slopes: __m512, offsets: __m512)

@inlinable @inline(__always)
package func binVectors(_ tables: UnsafePointer<BinTables>) -> BinVectors {
  let tables = tables.pointee
  return (
    regions: (
      unsafeBitCast(tables.regions.0, to: __m512i.self), unsafeBitCast(tables.regions.1, to: __m512i.self)
    ),
    slopes: tables.slopes, offsets: tables.offsets
  )
}

// MARK: - The parts

@inlinable @inline(__always)
package func upperHalves(_ values: Four) -> Two {
  (
    _mm512_permutex2var_epi16(values.0, orderOfPairs, values.1),
    _mm512_permutex2var_epi16(values.2, orderOfPairs, values.3)
  )
}

@inlinable @inline(__always)
var orderOfPairs: __m512i {
  unsafeBitCast(
    SIMD32<Int16>(
      1, 33, 3, 35, 5, 37, 7, 39, 9, 41, 11, 43, 13, 45, 15, 47, 17, 49, 19, 51, 21, 53, 23, 55, 25, 57, 27, 59, 29, 61,
      31, 63), to: __m512i.self)
}

/// Upper halves without their signs.
@inlinable @inline(__always)
package func magnitudes(upperHalves: Two) -> Two {
  let magnitude = _mm512_set1_epi16(Int16.max)
  return (_mm512_and_si512(upperHalves.0, magnitude), _mm512_and_si512(upperHalves.1, magnitude))
}

/// The regions of magnitudes with these upper halves, with the regions' bases in the upper bytes.
@inlinable @inline(__always)
package func regions(upperHalves: Two, _ map: BinVectors) -> Two {
  @inline(__always) func regions(_ upperHalves: __m512i) -> __m512i {
    let first = _mm512_set1_epi16(Int16(truncatingIfNeeded: BinTables.firstUpperHalf))
    let factor = _mm512_set1_epi16(Int16(truncatingIfNeeded: BinTables.factor))
    let bins = _mm512_mulhi_epu16(_mm512_subs_epu16(upperHalves, first), factor)
    return _mm512_permutex2var_epi16(map.regions.0, bins, map.regions.1)
  }
  return (regions(upperHalves.0), regions(upperHalves.1))
}

/// Each magnitude's cell in its region, or −1 beyond the region's end.
@inlinable @inline(__always)
package func cells(_ magnitudes: Four, _ regions: Two, _ map: BinVectors) -> Four {
  let indices = (
    regions.0, _mm512_srli_epi32(regions.0, 16), regions.1, _mm512_srli_epi32(regions.1, 16)
  )
  return each(magnitudes, indices) {
    let slopes = _mm512_permutexvar_ps($1, map.slopes)
    let offsets = _mm512_permutexvar_ps($1, map.offsets)
    return _mm512_cvttps_epu32(_mm512_fmadd_ps(floats($0), slopes, offsets))
  }
}

/// The codes of an unsigned map. The bases are in the order of `packed`.
@inlinable @inline(__always)
package func unsignedCodes(_ cells: Four, _ bases: __m512i) -> __m512i {
  _mm512_permutexvar_epi32(orderOfPacked, _mm512_sub_epi8(bases, packed(cells)))
}

/// The codes of a signed map, from bytes that have the values' signs, in the order of `packed` as well.
@inlinable @inline(__always)
package func signedCodes(_ cells: Four, _ bases: __m512i, _ signs: __m512i) -> __m512i {
  let ofPositive = _mm512_sub_epi8(bases, packed(cells))
  // There is no level −128: what is below the lowest takes its code.
  let ofBoth = _mm512_mask_subs_epu8(ofPositive, _mm512_movepi8_mask(signs), _mm512_set1_epi8(-2), ofPositive)
  return _mm512_permutexvar_epi32(orderOfPacked, ofBoth)
}

/// Works within quarters of the registers.
@inlinable @inline(__always)
func packed(_ cells: Four) -> __m512i {
  _mm512_packs_epi16(_mm512_packs_epi32(cells.0, cells.1), _mm512_packs_epi32(cells.2, cells.3))
}
#endif
