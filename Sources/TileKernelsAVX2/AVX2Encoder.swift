#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

/// 32 codes at a time by the arithmetic of `DecadeTables`, the rest by table.
@inline(never)
package func avx2EncodeBytes(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ map: ByteMap,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  let done = count & ~31
  let vectors = decadeVectors(map.decades)
  let factor = _mm256_set1_ps(reciprocal)
  var i = 0
  if map.isSigned {
    while i < done {
      storeSignedCodes(values + i, factor, vectors, to: codes + i)
      i &+= 32
    }
  } else {
    while i < done {
      storeClampedCodes(values + i, factor, vectors, to: codes + i)
      i &+= 32
    }
  }
  if done < count { encodeBytesStage(values + done, count &- done, reciprocal, map, codes + done) }
}

/// 32 codes of a signed map.
@inline(__always)
func storeSignedCodes(
  _ values: UnsafePointer<Float>, _ factor: __m256, _ map: DecadeVectors, to codes: UnsafeMutablePointer<UInt8>
) {
  // Packing keeps the signs.
  @inline(__always) func sixteen(_ i: Int) -> (packed: __m256i, places: Places) {
    let values = products(values + i, factor)
    return (_mm256_packs_epi32(values.0, values.1), places(each(values) { magnitudeBits(floats($0)) }, map))
  }
  let (a, b) = (sixteen(0), sixteen(16))
  let ofPositive = packedCodes(a.places, b.places, map)
  // There is no level −128: what is below the lowest takes its code.
  let ofNegative = _mm256_subs_epu8(_mm256_set1_epi8(-2), ofPositive)
  storeOrdered(_mm256_blendv_epi8(ofPositive, ofNegative, _mm256_packs_epi16(a.packed, b.packed)), to: codes)
}

/// 32 codes of an unsigned map, from values that are not negative.
@inline(__always)
func storeUnsignedCodes(
  _ values: UnsafePointer<Float>, _ factor: __m256, _ map: DecadeVectors, to codes: UnsafeMutablePointer<UInt8>
) {
  storeUnsignedCodes(products(values, factor), products(values + 16, factor), map, to: codes)
}

/// Negative values, which an unsigned map does not have, take the code of zero.
@inline(__always)
private func storeClampedCodes(
  _ values: UnsafePointer<Float>, _ factor: __m256, _ map: DecadeVectors, to codes: UnsafeMutablePointer<UInt8>
) {
  @inline(__always) func sixteen(_ i: Int) -> Two {
    each(products(values + i, factor)) { _mm256_max_epi32($0, _mm256_setzero_si256()) }
  }
  storeUnsignedCodes(sixteen(0), sixteen(16), map, to: codes)
}

@inline(__always)
private func storeUnsignedCodes(
  _ a: Two, _ b: Two, _ map: DecadeVectors, to codes: UnsafeMutablePointer<UInt8>
) {
  storeOrdered(packedCodes(places(a, map), places(b, map), map), to: codes)
}

// MARK: - In registers

// Two registers at a time, whose instructions take turns: more would not fit, and with one the CPU waits for each result.

/// The bits of sixteen values, or as many integers.
private typealias Two = (__m256i, __m256i)

@inline(__always)
private func each(_ a: Two, _ body: (__m256i) -> __m256i) -> Two { (body(a.0), body(a.1)) }

@inline(__always)
private func each(_ a: Two, _ b: Two, _ body: (__m256i, __m256i) -> __m256i) -> Two { (body(a.0, b.0), body(a.1, b.1)) }

@inline(__always)
private func products(_ values: UnsafePointer<Float>, _ factor: __m256) -> Two {
  @inline(__always) func eight(_ i: Int) -> __m256i {
    bits(_mm256_mul_ps(load(values + i), factor))
  }
  return (eight(0), eight(8))
}

/// `DecadeTables`, one a register.
typealias DecadeVectors = (
  regions: __m256i, ends: __m256i, slopes: __m256, offsets: __m256, bases: __m256i
)

@inline(__always)
func decadeVectors(_ tables: UnsafePointer<DecadeTables>) -> DecadeVectors {
  let tables = tables.pointee
  @inline(__always) func twice(_ bytes: SIMD16<UInt8>) -> __m256i {
    _mm256_broadcastsi128_si256(unsafeBitCast(bytes, to: __m128i.self))
  }
  return (
    regions: twice(tables.regions), ends: unsafeBitCast(tables.ends, to: __m256i.self), slopes: tables.slopes,
    offsets: tables.offsets, bases: twice(tables.bases)
  )
}

/// Where sixteen magnitudes lie, in 16 bits each: the region, and the cell in it.
private typealias Places = (regions: __m256i, cells: __m256i)

/// Floats without a sign order like their bits.
@inline(__always)
private func places(_ magnitudes: Two, _ map: DecadeVectors) -> Places {
  // The table's index is four bits of the exponent. Below the smallest octave pair that it tells apart is all one.
  let octavePairs = each(magnitudes) { _mm256_srli_epi32(_mm256_max_epu32($0, _mm256_set1_epi32(48 << 24)), 24) }
  let lower = each(octavePairs) { _mm256_shuffle_epi8(map.regions, $0) }
  let ends = each(lower) { _mm256_permutevar8x32_epi32(map.ends, $0) }
  let areAbove = each(magnitudes, ends) { _mm256_cmpgt_epi32($0, $1) }
  let regions = each(lower, areAbove) { _mm256_sub_epi32($0, $1) }
  let slopes = each(regions) { bits(_mm256_permutevar8x32_ps(map.slopes, $0)) }
  let offsets = each(regions) { bits(_mm256_permutevar8x32_ps(map.offsets, $0)) }
  @inline(__always) func cells(_ magnitudes: __m256i, _ slopes: __m256i, _ offsets: __m256i) -> __m256i {
    _mm256_cvttps_epi32(_mm256_fmadd_ps(floats(magnitudes), floats(slopes), floats(offsets)))
  }
  return (
    _mm256_packs_epi32(regions.0, regions.1),
    _mm256_packs_epi32(
      cells(magnitudes.0, slopes.0, offsets.0), cells(magnitudes.1, slopes.1, offsets.1))
  )
}

/// The codes of 32 values that are positive, in bytes. Packing works within halves of the register: `storeOrdered` puts them
/// in order.
@inline(__always)
private func packedCodes(_ a: Places, _ b: Places, _ map: DecadeVectors) -> __m256i {
  _mm256_sub_epi8(
    _mm256_shuffle_epi8(map.bases, _mm256_packus_epi16(a.regions, b.regions)),
    _mm256_packus_epi16(a.cells, b.cells))
}

@inline(__always)
private func storeOrdered(_ bytes: __m256i, to codes: UnsafeMutablePointer<UInt8>) {
  let order = unsafeBitCast(SIMD8<Int32>(0, 4, 1, 5, 2, 6, 3, 7), to: __m256i.self)
  UnsafeMutableRawPointer(codes).storeBytes(of: _mm256_permutevar8x32_epi32(bytes, order), as: __m256i.self)
}
#endif
