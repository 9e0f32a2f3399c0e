// 64 codes of the signed dynamic map by `BinTables`, in registers: parts of the way, as for `DecadeTables`.
#if arch(x86_64)
import TileKernels
import TileKernelsAVX512
import _Builtin_intrinsics.intel

/// `BinTables`, one a register.
typealias BinVectors = (
  slopes: __m512, upperSlopes: __m512, offsets: __m512, upperOffsets: __m512,
  /// In bytes.
  bases: __m512i
)

@inline(__always)
func binVectors(_ tables: UnsafePointer<BinTables>) -> BinVectors {
  let tables = tables.pointee
  return (
    slopes: tables.slopes.0, upperSlopes: tables.slopes.1, offsets: tables.offsets.0, upperOffsets: tables.offsets.1,
    bases: unsafeBitCast(tables.bases, to: __m512i.self)
  )
}

@inline(__always)
func bins(_ magnitudes: Four) -> Four {
  let smallest = _mm512_set1_epi32(
    Int32(truncatingIfNeeded: BinTables.smallestUpperHalf(of: BinTables.firstBin) &<< 16))
  let factor = _mm512_set1_epi32(Int32(truncatingIfNeeded: BinTables.factor))
  return each(magnitudes) { _mm512_mulhi_epu16(_mm512_srli_epi32(_mm512_max_epu32($0, smallest), 16), factor) }
}

/// Each magnitude's cell on its bin's line.
@inline(__always)
func cells(_ magnitudes: Four, _ bins: Four, _ map: BinVectors) -> Four {
  let slopes = each(bins) { TileKernelsAVX512.bits(_mm512_permutex2var_ps(map.slopes, $0, map.upperSlopes)) }
  let products = each(magnitudes, slopes) { TileKernelsAVX512.bits(_mm512_mul_ps(floats($0), floats($1))) }
  let offsets = each(bins) { TileKernelsAVX512.bits(_mm512_permutex2var_ps(map.offsets, $0, map.upperOffsets)) }
  let sums = each(products, offsets) { TileKernelsAVX512.bits(_mm512_add_ps(floats($0), floats($1))) }
  return each(sums) { _mm512_cvttps_epi32(floats($0)) }
}

/// The levels, in bytes.
@inline(__always)
func levels(_ cells: Four, _ bins: Four, _ map: BinVectors) -> __m512i {
  let bins = packedBytes(bins.0, bins.1, bins.2, bins.3)
  let cells = _mm512_packs_epi16(_mm512_packs_epi32(cells.0, cells.1), _mm512_packs_epi32(cells.2, cells.3))
  return _mm512_permutexvar_epi32(orderOfPacked, _mm512_add_epi8(_mm512_permutexvar_epi8(bins, map.bases), cells))
}
#endif
