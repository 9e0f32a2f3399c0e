#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

/// 16 values at a time: every lane shifts its code to the lowest bits, which then index a register of eight levels.
@inline(never)
package func avx2DecodeLevels(
  _ codes: UnsafePointer<UInt8>, _ count: Int, _ bits: Int, _ levels: UnsafePointer<Float>,
  _ values: UnsafeMutablePointer<Float>
) {
  let done = count & ~15
  switch bits {
  case 2: decodeTwoBits(codes, done, levels, values)
  case 3: decodeThreeBits(codes, done, levels, values)
  default: decodeFourBits(codes, done, levels, values)
  }
  if done < count { decodeLevelsStage(codes + done / 8 &* bits, count &- done, bits, levels, values + done) }
}

@inline(__always)
private func decodeTwoBits(
  _ codes: UnsafePointer<UInt8>, _ count: Int, _ levels: UnsafePointer<Float>, _ values: UnsafeMutablePointer<Float>
) {
  // The index has a third bit, the next code's: the four levels twice.
  let table = __m256(levels[0], levels[1], levels[2], levels[3], levels[0], levels[1], levels[2], levels[3])
  let lower = shifts(0, 2)
  let upper = shifts(16, 2)
  var i = 0
  while i < count {
    let packed = broadcast(codes + i / 4)
    store(_mm256_permutevar8x32_ps(table, _mm256_srlv_epi32(packed, lower)), to: values + i)
    store(_mm256_permutevar8x32_ps(table, _mm256_srlv_epi32(packed, upper)), to: values + i + 8)
    i &+= 16
  }
}

@inline(__always)
private func decodeThreeBits(
  _ codes: UnsafePointer<UInt8>, _ count: Int, _ levels: UnsafePointer<Float>, _ values: UnsafeMutablePointer<Float>
) {
  let table = load(levels)
  let lower = shifts(0, 3)
  let upper = shifts(8, 3)
  var i = 0
  while i < count {
    // Sixteen codes are six bytes: the second four are read two bytes on, so as not to read beyond the sixth.
    let first = codes + i / 8 &* 3
    let low = _mm256_srlv_epi32(broadcast(first), lower)
    let high = _mm256_srlv_epi32(broadcast(first + 2), upper)
    store(_mm256_permutevar8x32_ps(table, low), to: values + i)
    store(_mm256_permutevar8x32_ps(table, high), to: values + i + 8)
    i &+= 16
  }
}

@inline(__always)
private func decodeFourBits(
  _ codes: UnsafePointer<UInt8>, _ count: Int, _ levels: UnsafePointer<Float>, _ values: UnsafeMutablePointer<Float>
) {
  let lowTable = load(levels)
  let highTable = load(levels + 8)
  let lanes = shifts(0, 4)
  var i = 0
  while i < count {
    let index = _mm256_srlv_epi32(broadcast(codes + i / 2), lanes)
    let low = _mm256_permutevar8x32_ps(lowTable, index)
    let high = _mm256_permutevar8x32_ps(highTable, index)
    // The code's fourth bit, moved to the sign, chooses.
    let choice = unsafeBitCast(_mm256_slli_epi32(index, 28), to: __m256.self)
    store(_mm256_blendv_ps(low, high, choice), to: values + i)
    i &+= 8
  }
}

/// `first`, `first` + `bits` and so on, one a lane.
@inline(__always)
private func shifts(_ first: Int32, _ bits: Int32) -> __m256i {
  let lanes = unsafeBitCast(SIMD8<Int32>(0, 1, 2, 3, 4, 5, 6, 7), to: __m256i.self)
  return _mm256_add_epi32(_mm256_set1_epi32(first), _mm256_mullo_epi32(lanes, _mm256_set1_epi32(bits)))
}

@inline(__always)
private func broadcast(_ bytes: UnsafePointer<UInt8>) -> __m256i {
  _mm256_set1_epi32(UnsafeRawPointer(bytes).loadUnaligned(as: Int32.self))
}
#endif
