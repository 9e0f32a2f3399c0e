#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

// MARK: - Decoding

@inline(never)
package func avx512DecodeNibbles(
  _ codes: UnsafePointer<UInt8>, _ count: Int, _ scale: Float, _ map: NibbleMap, _ values: UnsafeMutablePointer<Float>
) {
  let reader = codeReader(bits: 4)
  let table = levels(map, scale: scale)
  let done = count & ~15
  var i = 0
  while i < done {
    store(_mm512_permutexvar_ps(sixteenCodes(codes, from: i, reader), table), to: values + i)
    i &+= 16
  }
  if done < count { decodeNibblesStage(codes + done / 2, count &- done, scale, map, values + done) }
}

/// The map's values times a block's scale: the whole table is one register.
@inline(__always)
func levels(_ map: NibbleMap, scale: Float) -> __m512 { _mm512_mul_ps(load(map.values), _mm512_set1_ps(scale)) }

// MARK: - Encoding

@inline(never)
package func avx512EncodeNibbles(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ map: NibbleMap,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  let done = count & ~15
  if map.vectors.pointee.isLinear {
    encode(values, done, reciprocal, codes) { linearCodes($0) }
  } else {
    let search = thresholdSearch(load(map.thresholds), 4, fromTop: false)
    encode(values, done, reciprocal, codes) { searched($0, search) }
  }
  if done < count { encodeNibblesStage(values + done, count &- done, reciprocal, map, codes + done / 2) }
}

/// The linear map's codes of normalised values; what is below 0 stands for 0.
///
/// ⌈16·x − 1.5⌉ from 0 to 15, which is (the float below 16·x) − 0.5 without its fraction. One addition to the bits both
/// multiplies by 16 and steps to the float below. It turns zeros into tiny numbers, and what is no number into a tiny or a
/// negative one: all become 0.
@inline(__always)
func linearCodes(_ values: __m512) -> __m512i {
  let below = _mm512_add_epi32(bits(values), _mm512_set1_epi32(4 &<< 23 &- 1))
  return _mm512_cvttps_epi32(_mm512_sub_ps(floats(below), _mm512_set1_ps(0.5)))
}

/// For a multiple of sixteen values.
@inline(__always)
private func encode(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ codes: UnsafeMutablePointer<UInt8>,
  _ encoded: (__m512) -> __m512i
) {
  let factor = _mm512_set1_ps(reciprocal)
  @inline(__always) func sixteen(_ i: Int) -> __m512i { encoded(_mm512_mul_ps(load(values + i), factor)) }
  var i = 0
  while i &+ 64 <= count {
    let words = nibblePairs(sixteen(i), sixteen(i &+ 16), sixteen(i &+ 32), sixteen(i &+ 48))
    storeOrdered(words, to: codes + i / 2)
    i &+= 64
  }
  let zero = _mm512_setzero_si512()
  while i < count {
    let bytes = orderedBytes(nibblePairs(sixteen(i), zero, zero, zero))
    UnsafeMutableRawPointer(codes + i / 2).storeBytes(of: bytes[0], as: Int64.self)
    i &+= 16
  }
}

/// 64 codes of four bits as 32 bytes in words, the even codes in the low nibbles: in quarter q of the result, two words of
/// the q-th four codes of each register.
@inline(__always)
private func nibblePairs(_ a: __m512i, _ b: __m512i, _ c: __m512i, _ d: __m512i) -> __m512i {
  // Even + 16 · odd, in 16 bits each.
  _mm512_maddubs_epi16(packedBytes(a, b, c, d), _mm512_set1_epi16(0x1001))
}

/// The 32 bytes that `nibblePairs` has made.
@inline(__always)
private func orderedBytes(_ words: __m512i) -> __m256i {
  _mm512_cvtepi16_epi8(_mm512_permutexvar_epi32(orderOfPacked, words))
}

@inline(__always)
private func storeOrdered(_ words: __m512i, to codes: UnsafeMutablePointer<UInt8>) {
  UnsafeMutableRawPointer(codes).storeBytes(of: orderedBytes(words), as: __m256i.self)
}
#endif
