#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

/// 32 codes at a time by the arithmetic of `DecadeTables`; the rest, and other maps, by table.
@inline(never)
package func avx2EncodeBytes(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ map: ByteMap,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  var done = 0
  if let decades = map.decades {
    done = count & ~31
    if decades.pointee.lastLevelLess == 1 {
      encodeSigned(values, done, reciprocal, decades, codes)
    } else {
      encodeUnsigned(values, done, reciprocal, decades, codes)
    }
  }
  if done < count { encodeBytesStage(values + done, count &- done, reciprocal, map, codes + done) }
}

/// The constants of `DecadeTables`, in registers.
private struct DecadeVectors {
  let regions, bases: __m256i
  let ends: __m256i
  let slopes, offsets: __m256
  let top, lastLess, firstOctavePair: __m256i

  @inline(__always)
  init(_ tables: UnsafePointer<DecadeTables>) {
    let tables = tables.pointee
    regions = unsafeBitCast(tables.regions, to: __m256i.self)
    bases = unsafeBitCast(tables.bases, to: __m256i.self)
    ends = unsafeBitCast(tables.ends, to: __m256i.self)
    slopes = tables.slopes
    offsets = tables.offsets
    top = _mm256_set1_epi32(Int32(bitPattern: tables.topThreshold.bitPattern))
    lastLess = _mm256_set1_epi32(tables.lastLevelLess)
    firstOctavePair = _mm256_set1_epi32(48)
  }

  /// The levels of eight magnitudes, given as bits. Floats without a sign order like their bits.
  @inline(__always)
  func levels(_ magnitudes: __m256i) -> __m256i {
    let octavePair = _mm256_subs_epu8(_mm256_srli_epi32(magnitudes, 24), firstOctavePair)
    let lower = _mm256_shuffle_epi8(regions, octavePair)
    let isAbove = _mm256_cmpgt_epi32(magnitudes, _mm256_permutevar8x32_epi32(ends, lower))
    let region = _mm256_sub_epi32(lower, isAbove)
    let slope = _mm256_permutevar8x32_ps(slopes, region)
    let offset = _mm256_permutevar8x32_ps(offsets, region)
    let base = _mm256_shuffle_epi8(bases, region)
    let cell = _mm256_cvttps_epi32(
      _mm256_add_ps(_mm256_mul_ps(unsafeBitCast(magnitudes, to: __m256.self), slope), offset))
    // In region 0 of a signed map the last level wraps around, and the level is 0.
    let last = _mm256_sub_epi32(_mm256_add_epi32(base, base), lastLess)
    let level = _mm256_min_epu32(_mm256_add_epi32(base, cell), last)
    return _mm256_sub_epi32(level, _mm256_cmpgt_epi32(magnitudes, top))
  }
}

@inline(__always)
private func loadScaled(_ pointer: UnsafePointer<Float>, _ reciprocal: __m256) -> __m256i {
  unsafeBitCast(
    _mm256_mul_ps(UnsafeRawPointer(pointer).loadUnaligned(as: __m256.self), reciprocal), to: __m256i.self)
}

/// Stores 4 × 8 levels as 32 bytes, those below 0 as 0.
@inline(__always)
private func storeBytes(_ a: __m256i, _ b: __m256i, _ c: __m256i, _ d: __m256i, to codes: UnsafeMutablePointer<UInt8>) {
  let bytes = _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d))
  // Packing works within halves of the register: put the groups of four back in order.
  let ordered = _mm256_permutevar8x32_epi32(
    bytes, unsafeBitCast(SIMD8<Int32>(0, 4, 1, 5, 2, 6, 3, 7), to: __m256i.self))
  UnsafeMutableRawPointer(codes).storeBytes(of: ordered, as: __m256i.self)
}

extension DecadeVectors {
  /// The codes of eight values in a signed map.
  @inline(__always)
  func signedCodes(_ pointer: UnsafePointer<Float>, _ reciprocal: __m256) -> __m256i {
    let bits = loadScaled(pointer, reciprocal)
    let sign = _mm256_srai_epi32(bits, 31)
    // A negative value on a threshold belongs to the lower code: one unit more of magnitude.
    let magnitude = _mm256_sub_epi32(_mm256_and_si256(bits, _mm256_set1_epi32(0x7fff_ffff)), sign)
    let level = _mm256_sub_epi32(_mm256_xor_si256(levels(magnitude), sign), sign)
    return _mm256_add_epi32(_mm256_set1_epi32(127), level)
  }

  /// The codes of eight values in an unsigned map. Negative values, which it does not have, take the code of zero.
  @inline(__always)
  func unsignedCodes(_ pointer: UnsafePointer<Float>, _ reciprocal: __m256) -> __m256i {
    levels(_mm256_max_epi32(loadScaled(pointer, reciprocal), _mm256_setzero_si256()))
  }
}

@inline(__always)
private func encodeSigned(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ tables: UnsafePointer<DecadeTables>,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  let vectors = DecadeVectors(tables)
  let r = _mm256_set1_ps(reciprocal)
  var i = 0
  while i < count {
    let p = values + i
    storeBytes(
      vectors.signedCodes(p, r), vectors.signedCodes(p + 8, r), vectors.signedCodes(p + 16, r),
      vectors.signedCodes(p + 24, r), to: codes + i)
    i &+= 32
  }
}

@inline(__always)
private func encodeUnsigned(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ tables: UnsafePointer<DecadeTables>,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  let vectors = DecadeVectors(tables)
  let r = _mm256_set1_ps(reciprocal)
  var i = 0
  while i < count {
    let p = values + i
    storeBytes(
      vectors.unsignedCodes(p, r), vectors.unsignedCodes(p + 8, r), vectors.unsignedCodes(p + 16, r),
      vectors.unsignedCodes(p + 24, r), to: codes + i)
    i &+= 32
  }
}
#endif
