#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

/// 64 codes at a time by the arithmetic of `DecadeTables`; the rest, and other maps, by table.
@inline(never)
package func avx512EncodeBytes(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ map: ByteMap,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  var done = 0
  if let decades = map.decades {
    done = count & ~63
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
  let regions, bases, ends: __m512i
  let slopes, offsets: __m512
  let top, lastLess, firstOctavePair: __m512i

  @inline(__always)
  init(_ tables: UnsafePointer<DecadeTables>) {
    let tables = tables.pointee
    regions = _mm512_broadcast_i32x4(unsafeBitCast(tables.regions.lowHalf, to: __m128i.self))
    bases = _mm512_broadcast_i32x4(unsafeBitCast(tables.bases.lowHalf, to: __m128i.self))
    ends = _mm512_broadcast_i32x8(unsafeBitCast(tables.ends, to: __m256i.self))
    slopes = _mm512_broadcast_f32x8(tables.slopes)
    offsets = _mm512_broadcast_f32x8(tables.offsets)
    top = _mm512_set1_epi32(Int32(bitPattern: tables.topThreshold.bitPattern))
    lastLess = _mm512_set1_epi32(tables.lastLevelLess)
    firstOctavePair = _mm512_set1_epi32(48)
  }

  /// −1 in the lanes where `a` > `b`, for integers that are not negative.
  @inline(__always)
  private func isGreater(_ a: __m512i, _ b: __m512i) -> __m512i {
    _mm512_srai_epi32(_mm512_sub_epi32(b, a), 31)
  }

  /// The levels of sixteen magnitudes, given as bits. Floats without a sign order like their bits.
  @inline(__always)
  func levels(_ magnitudes: __m512i) -> __m512i {
    let octavePair = _mm512_subs_epu8(_mm512_srli_epi32(magnitudes, 24), firstOctavePair)
    let lower = _mm512_shuffle_epi8(regions, octavePair)
    let region = _mm512_sub_epi32(lower, isGreater(magnitudes, _mm512_permutexvar_epi32(lower, ends)))
    let slope = _mm512_permutexvar_ps(region, slopes)
    let offset = _mm512_permutexvar_ps(region, offsets)
    let base = _mm512_shuffle_epi8(bases, region)
    let cell = _mm512_cvttps_epi32(
      _mm512_add_ps(_mm512_mul_ps(unsafeBitCast(magnitudes, to: __m512.self), slope), offset))
    // In region 0 of a signed map the last level wraps around, and the level is 0.
    let last = _mm512_sub_epi32(_mm512_add_epi32(base, base), lastLess)
    let level = _mm512_min_epu32(_mm512_add_epi32(base, cell), last)
    return _mm512_sub_epi32(level, isGreater(magnitudes, top))
  }
}

@inline(__always)
private func loadScaled(_ pointer: UnsafePointer<Float>, _ reciprocal: __m512) -> __m512i {
  unsafeBitCast(
    _mm512_mul_ps(UnsafeRawPointer(pointer).loadUnaligned(as: __m512.self), reciprocal), to: __m512i.self)
}

/// Stores 4 × 16 levels as 64 bytes, those below 0 as 0.
@inline(__always)
private func store(_ a: __m512i, _ b: __m512i, _ c: __m512i, _ d: __m512i, to codes: UnsafeMutablePointer<UInt8>) {
  let ordered = _mm512_permutexvar_epi32(orderOfPacked, packedBytes(a, b, c, d))
  UnsafeMutableRawPointer(codes).storeBytes(of: ordered, as: __m512i.self)
}

@inline(__always)
private func encodeSigned(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ tables: UnsafePointer<DecadeTables>,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  let vectors = DecadeVectors(tables)
  let reciprocal = _mm512_set1_ps(reciprocal)
  let zeroCode = _mm512_set1_epi32(127)
  let withoutSign = _mm512_set1_epi32(0x7fff_ffff)

  @inline(__always)
  func sixteen(_ pointer: UnsafePointer<Float>) -> __m512i {
    let bits = loadScaled(pointer, reciprocal)
    let sign = _mm512_srai_epi32(bits, 31)
    // A negative value on a threshold belongs to the lower code: one unit more of magnitude.
    let level = vectors.levels(_mm512_sub_epi32(_mm512_and_si512(bits, withoutSign), sign))
    return _mm512_add_epi32(zeroCode, _mm512_sub_epi32(_mm512_xor_si512(level, sign), sign))
  }

  var i = 0
  while i < count {
    let p = values + i
    store(sixteen(p), sixteen(p + 16), sixteen(p + 32), sixteen(p + 48), to: codes + i)
    i &+= 64
  }
}

@inline(__always)
private func encodeUnsigned(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ tables: UnsafePointer<DecadeTables>,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  let vectors = DecadeVectors(tables)
  let reciprocal = _mm512_set1_ps(reciprocal)
  // Negative values, which an unsigned map does not have, take the code of zero.
  let zero = _mm512_setzero_si512()

  @inline(__always)
  func sixteen(_ pointer: UnsafePointer<Float>) -> __m512i {
    vectors.levels(_mm512_max_epi32(loadScaled(pointer, reciprocal), zero))
  }

  var i = 0
  while i < count {
    let p = values + i
    store(sixteen(p), sixteen(p + 16), sixteen(p + 32), sixteen(p + 48), to: codes + i)
    i &+= 64
  }
}
#endif
