#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

// MARK: - Decoding

@inline(never)
package func avx2DecodeNibbles(
  _ codes: UnsafePointer<UInt8>, _ count: Int, _ scale: Float, _ map: NibbleMap, _ values: UnsafeMutablePointer<Float>
) {
  let decoder = NibbleDecoder(map)
  let factor = _mm256_set1_ps(scale)
  let done = count & ~31
  var i = 0
  while i < done {
    decoder.decode(codes + i &>> 1, factor, to: values + i)
    i &+= 32
  }
  if done < count { decodeNibblesStage(codes + done / 2, count &- done, scale, map, values + done) }
}

/// Looks up the bytes of 32 floats plane by plane, and interleaves the planes. Shuffling bytes is cheap on every CPU;
/// permuting floats is not.
private struct NibbleDecoder {
  private let planes: (__m256i, __m256i, __m256i, __m256i)
  private let spread, isOdd, lowBits: __m256i

  @inline(__always)
  init(_ map: NibbleMap) {
    let bytes = UnsafeRawPointer(map.vectors)
    func plane(_ index: Int) -> __m256i {
      _mm256_broadcastsi128_si256(bytes.load(fromByteOffset: 16 &* index, as: __m128i.self))
    }
    planes = (plane(0), plane(1), plane(2), plane(3))
    // Each byte twice, in the order that interleaving within halves of a register undoes.
    spread = unsafeBitCast(
      SIMD32<UInt8>(
        0, 0, 1, 1, 4, 4, 5, 5, 8, 8, 9, 9, 12, 12, 13, 13, 2, 2, 3, 3, 6, 6, 7, 7, 10, 10, 11, 11, 14, 14, 15, 15),
      to: __m256i.self)
    isOdd = _mm256_set1_epi16(-256)
    lowBits = _mm256_set1_epi8(15)
  }

  @inline(__always)
  func decode(_ codes: UnsafePointer<UInt8>, _ factor: __m256, to values: UnsafeMutablePointer<Float>) {
    let bytes = _mm256_broadcastsi128_si256(UnsafeRawPointer(codes).loadUnaligned(as: __m128i.self))
    let twice = _mm256_shuffle_epi8(bytes, spread)
    let nibbles = _mm256_and_si256(_mm256_blendv_epi8(twice, _mm256_srli_epi16(twice, 4), isOdd), lowBits)
    let plane0 = _mm256_shuffle_epi8(planes.0, nibbles)
    let plane1 = _mm256_shuffle_epi8(planes.1, nibbles)
    let plane2 = _mm256_shuffle_epi8(planes.2, nibbles)
    let plane3 = _mm256_shuffle_epi8(planes.3, nibbles)
    let lowHalves = (_mm256_unpacklo_epi8(plane0, plane1), _mm256_unpackhi_epi8(plane0, plane1))
    let highHalves = (_mm256_unpacklo_epi8(plane2, plane3), _mm256_unpackhi_epi8(plane2, plane3))
    scaled(_mm256_unpacklo_epi16(lowHalves.0, highHalves.0), factor, to: values)
    scaled(_mm256_unpackhi_epi16(lowHalves.0, highHalves.0), factor, to: values + 8)
    scaled(_mm256_unpacklo_epi16(lowHalves.1, highHalves.1), factor, to: values + 16)
    scaled(_mm256_unpackhi_epi16(lowHalves.1, highHalves.1), factor, to: values + 24)
  }

  @inline(__always)
  private func scaled(_ floats: __m256i, _ factor: __m256, to values: UnsafeMutablePointer<Float>) {
    store(_mm256_mul_ps(unsafeBitCast(floats, to: __m256.self), factor), to: values)
  }
}

// MARK: - Encoding

@inline(never)
package func avx2EncodeNibbles(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ map: NibbleMap,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  let done = count & ~31
  if map.vectors.pointee.isLinear {
    encode(values, done, reciprocal, LinearEncoder(), codes)
  } else {
    encode(values, done, reciprocal, SearchEncoder(map), codes)
  }
  if done < count { encodeNibblesStage(values + done, count &- done, reciprocal, map, codes + done / 2) }
}

private protocol NibbleEncoder {
  /// The codes of eight values between −1 and 1.
  func codes(_ values: __m256) -> __m256i
}

@inline(__always)
private func encode(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ encoder: some NibbleEncoder,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  let factor = _mm256_set1_ps(reciprocal)
  var i = 0
  while i < count {
    let p = values + i
    storeNibbles(
      encoder.codes(_mm256_mul_ps(load(p), factor)), encoder.codes(_mm256_mul_ps(load(p + 8), factor)),
      encoder.codes(_mm256_mul_ps(load(p + 16), factor)), encoder.codes(_mm256_mul_ps(load(p + 24), factor)),
      to: codes + i &>> 1)
    i &+= 32
  }
}

/// A binary search among fifteen thresholds.
private struct SearchEncoder: NibbleEncoder {
  private let first, secondLow, secondHigh, third, fourth: __m256

  @inline(__always)
  init(_ map: NibbleMap) {
    first = _mm256_set1_ps(map.vectors.pointee.first)
    secondLow = _mm256_set1_ps(map.vectors.pointee.second[0])
    secondHigh = _mm256_set1_ps(map.vectors.pointee.second[1])
    third = map.vectors.pointee.third
    fourth = map.vectors.pointee.fourth
  }

  @inline(__always)
  func codes(_ values: __m256) -> __m256i {
    let isUpper = isAbove(values, first)
    let quarter = _mm256_blendv_ps(secondLow, secondHigh, unsafeBitCast(isUpper, to: __m256.self))
    let one = _mm256_sub_epi32(_mm256_setzero_si256(), isUpper)
    let two = appendBit(to: one, isAbove(values, quarter))
    let three = appendBit(to: two, isAbove(values, _mm256_permutevar8x32_ps(third, two)))
    return appendBit(to: three, isAbove(values, _mm256_permutevar8x32_ps(fourth, three)))
  }

  @inline(__always)
  private func appendBit(to code: __m256i, _ mask: __m256i) -> __m256i {
    _mm256_sub_epi32(_mm256_add_epi32(code, code), mask)
  }

  /// −1 where the value is above, else 0.
  @inline(__always)
  private func isAbove(_ value: __m256, _ threshold: __m256) -> __m256i {
    unsafeBitCast(value .> threshold, to: __m256i.self)
  }
}

/// ⌈16·x − 1.5⌉ from 0 to 15: (the float below 16·x) − 0.5, without its fraction. Below 0 there is nothing but what
/// conversion makes of no number, and packing makes that 0.
private struct LinearEncoder: NibbleEncoder {
  @inline(__always)
  func codes(_ values: __m256) -> __m256i {
    let scaled = unsafeBitCast(_mm256_mul_ps(values, _mm256_set1_ps(16)), to: __m256i.self)
    let below = _mm256_sub_epi32(scaled, _mm256_set1_epi32(1))
    return _mm256_cvttps_epi32(_mm256_sub_ps(unsafeBitCast(below, to: __m256.self), _mm256_set1_ps(0.5)))
  }
}

/// Stores 4 × 8 codes of four bits as 16 bytes, the even ones in the low nibbles.
@inline(__always)
private func storeNibbles(
  _ a: __m256i, _ b: __m256i, _ c: __m256i, _ d: __m256i, to codes: UnsafeMutablePointer<UInt8>
) {
  let bytes = _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d))
  // Even + 16 · odd, in 16 bits each.
  let pairs = _mm256_maddubs_epi16(bytes, _mm256_set1_epi16(0x1001))
  // Packing works within halves of the register: put the groups of four back in order.
  let ordered = _mm256_permutevar8x32_epi32(
    pairs, unsafeBitCast(SIMD8<Int32>(0, 4, 1, 5, 2, 6, 3, 7), to: __m256i.self))
  let packed = _mm256_packus_epi16(ordered, ordered)
  let raw = UnsafeMutableRawPointer(codes)
  raw.storeBytes(of: packed[0], as: Int64.self)
  raw.storeBytes(of: packed[2], toByteOffset: 8, as: Int64.self)
}
#endif
