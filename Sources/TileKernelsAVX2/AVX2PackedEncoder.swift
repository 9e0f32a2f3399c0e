#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

/// 32 codes at a time: compare with every threshold, count, pack.
@inline(never)
package func avx2EncodePacked(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ map: PackedMap,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  let done = count & ~31
  if map.bits == 2 {
    encodeSigned(values, done, 2, reciprocal, map.thresholds, codes)
  } else {
    encodeSigned(values, done, 3, reciprocal, map.thresholds, codes)
  }
  if done < count {
    encodePackedStage(values + done, count &- done, reciprocal, map, codes + done / 8 &* map.bits)
  }
}

@inline(__always)
private func encodeSigned(
  _ values: UnsafePointer<Float>, _ count: Int, _ bits: Int32, _ reciprocal: Float,
  _ thresholds: UnsafePointer<Float>, _ codes: UnsafeMutablePointer<UInt8>
) {
  let scale = _mm256_set1_ps(reciprocal)
  let search = ThresholdSearch(thresholds, bits)
  encode32(count, bits, fromTop: false, codes) { i in
    let y = unsafeBitCast(_mm256_mul_ps(load(values + i), scale), to: __m256i.self)
    // As `orderKey`: integers that order like the floats.
    let key = _mm256_xor_si256(y, _mm256_srli_epi32(_mm256_srai_epi32(y, 31), 1))
    return search.countBelow(key)
  }
}

@inline(never)
package func avx2EncodeLogarithmic(
  _ values: UnsafePointer<Float>, _ uniforms: UnsafePointer<Float>, _ count: Int, _ levels: LogarithmicLevels,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  let done = count & ~31
  switch levels.bits {
  case 2: encodeLogarithmic(values, uniforms, done, 2, levels, codes)
  case 3: encodeLogarithmic(values, uniforms, done, 3, levels, codes)
  default: encodeLogarithmic(values, uniforms, done, 4, levels, codes)
  }
  if done < count {
    encodeLogarithmicStage(
      values + done, uniforms + done, count &- done, levels, codes + done / 8 &* levels.bits)
  }
}

@inline(__always)
private func encodeLogarithmic(
  _ values: UnsafePointer<Float>, _ uniforms: UnsafePointer<Float>, _ count: Int, _ bits: Int32,
  _ levels: LogarithmicLevels, _ codes: UnsafeMutablePointer<UInt8>
) {
  let log2Base = _mm256_set1_ps(levels.log2Base)
  let leastFactor = _mm256_set1_ps(levels.leastFactor)
  let search = ThresholdSearch(levels.thresholds, bits)
  encode32(count, bits, fromTop: true, codes) { i in
    let factor = _mm256_max_ps(exp2OfNegative(_mm256_mul_ps(load(uniforms + i), log2Base)), leastFactor)
    // Levels are positive, and positive floats order like their bits; a negative product is below all.
    return search.countBelow(unsafeBitCast(_mm256_mul_ps(load(values + i), factor), to: __m256i.self))
  }
}

/// `exp2OfNegative` of eight values.
@inline(__always)
private func exp2OfNegative(_ x: __m256) -> __m256 {
  let shifter = _mm256_set1_ps(12_582_912)
  let shifted = _mm256_add_ps(x, shifter)
  let f = _mm256_sub_ps(x, _mm256_sub_ps(shifted, shifter))
  let square = _mm256_mul_ps(f, f)
  let low = _mm256_add_ps(_mm256_set1_ps(1), _mm256_mul_ps(_mm256_set1_ps(0.693147), f))
  let middle = _mm256_add_ps(_mm256_set1_ps(0.24022242), _mm256_mul_ps(_mm256_set1_ps(0.055507336), f))
  let high = _mm256_add_ps(_mm256_set1_ps(0.009671513), _mm256_mul_ps(_mm256_set1_ps(0.0013264727), f))
  let p = _mm256_add_ps(low, _mm256_mul_ps(square, _mm256_add_ps(middle, _mm256_mul_ps(square, high))))
  let exponent = _mm256_slli_epi32(unsafeBitCast(shifted, to: __m256i.self), 23)
  return unsafeBitCast(_mm256_add_epi32(unsafeBitCast(p, to: __m256i.self), exponent), to: __m256.self)
}

/// 2^bits − 1 thresholds, as integers that order like the floats, for a search by halves: first the middle one, then,
/// chosen by what the comparisons so far have said, one of 2, of 4 and of 8. The last are every other threshold.
private struct ThresholdSearch {
  let bits: Int32
  let middle, ofTwo, ofFour, ofEight: __m256i

  @inline(__always)
  init(_ thresholds: UnsafePointer<Float>, _ bits: Int32) {
    self.bits = bits
    let step = 1 &<< Int(bits)
    @inline(__always) func key(_ index: Int) -> Int32 { orderKey(thresholds[index]) }
    middle = _mm256_set1_epi32(key(step / 2 &- 1))
    /// Every threshold that a stage of so many can choose; what is beyond the table is never chosen.
    @inline(__always) func table(_ size: Int) -> __m256i {
      @inline(__always) func entry(_ index: Int) -> Int32 {
        index < size ? key((2 &* index &+ 1) &* step / (2 &* size) &- 1) : 0
      }
      return unsafeBitCast(
        SIMD8<Int32>(entry(0), entry(1), entry(2), entry(3), entry(4), entry(5), entry(6), entry(7)), to: __m256i.self)
    }
    ofTwo = table(2)
    ofFour = bits > 2 ? table(4) : ofTwo
    ofEight = bits > 3 ? table(8) : ofTwo
  }

  /// The number of thresholds below each of eight values.
  @inline(__always)
  func countBelow(_ key: __m256i) -> __m256i {
    var count = _mm256_srli_epi32(_mm256_cmpgt_epi32(key, middle), 31)
    count = refine(count, key, ofTwo)
    if bits > 2 { count = refine(count, key, ofFour) }
    if bits > 3 { count = refine(count, key, ofEight) }
    return count
  }

  /// One binary digit more.
  @inline(__always)
  private func refine(_ count: __m256i, _ key: __m256i, _ table: __m256i) -> __m256i {
    let isAbove = _mm256_cmpgt_epi32(key, _mm256_permutevar8x32_epi32(table, count))
    return _mm256_sub_epi32(_mm256_add_epi32(count, count), isAbove)
  }
}

/// Packs counts of a constant width, or what they lack to the last code, 32 at a time. `eight` gives those of the elements
/// from an index on.
@inline(__always)
private func encode32(
  _ count: Int, _ bits: Int32, fromTop: Bool, _ codes: UnsafeMutablePointer<UInt8>, _ eight: (Int) -> __m256i
) {
  let flip = _mm256_set1_epi8(fromTop ? Int8(truncatingIfNeeded: (1 &<< bits) &- 1) : 0)
  // Neighbouring codes side by side: first two in 2 · bits, then four in 4 · bits.
  let pairWeights = _mm256_set1_epi16(Int16(truncatingIfNeeded: 1 | 256 &<< bits))
  let fourWeights = _mm256_set1_epi32(1 | 0x1_0000 &<< (2 &* bits))
  let upperHalf = unsafeBitCast(SIMD8<Int32>(4, 5, 6, 7, 4, 5, 6, 7), to: __m256i.self)
  // Of each 32-bit lane, the bytes that hold eight codes.
  let usedOfTwo = SIMD16<Int8>(0, 1, 4, 5, 8, 9, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1)
  let usedOfThree = SIMD16<Int8>(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1)
  var i = 0
  while i < count {
    let bytes = _mm256_packus_epi16(
      _mm256_packs_epi32(eight(i), eight(i &+ 8)), _mm256_packs_epi32(eight(i &+ 16), eight(i &+ 24)))
    let pairs = _mm256_maddubs_epi16(_mm256_xor_si256(bytes, flip), pairWeights)
    let fours = _mm256_madd_epi16(pairs, fourWeights)
    // The first four codes of each eight are in the lower half of the register, the others in the upper.
    let others = _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(fours, upperHalf))
    let packed = _mm_or_si128(_mm256_castsi256_si128(fours), _mm_slli_epi32(others, 4 &* bits))
    let first = UnsafeMutableRawPointer(codes + i / 8 &* Int(bits))
    switch bits {
    case 2:
      let used = _mm_shuffle_epi8(packed, unsafeBitCast(usedOfTwo, to: __m128i.self))
      first.storeBytes(of: unsafeBitCast(used, to: SIMD2<UInt64>.self)[0], as: UInt64.self)
    case 3:
      let used = _mm_shuffle_epi8(packed, unsafeBitCast(usedOfThree, to: __m128i.self))
      first.storeBytes(of: unsafeBitCast(used, to: SIMD2<UInt64>.self)[0], as: UInt64.self)
      first.storeBytes(of: unsafeBitCast(used, to: SIMD4<UInt32>.self)[2], toByteOffset: 8, as: UInt32.self)
    default:
      first.storeBytes(of: packed, as: __m128i.self)
    }
    i &+= 32
  }
}
#endif
