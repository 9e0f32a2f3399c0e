/// The tables of a 4-bit codebook, as the stages read them. Owned by the codebook.
public struct NibbleMap {
  /// 512 floats: for each byte, the value of its low nibble and that of its high nibble.
  public var pairs: UnsafePointer<Float>
  /// As in `ByteMap`.
  public var buckets: UnsafePointer<UInt32>
  /// As in `PackedMap`.
  public var values, thresholds: UnsafePointer<Float>
  /// For vectors.
  public var vectors: UnsafePointer<NibbleVectors>

  public init(
    pairs: UnsafePointer<Float>, buckets: UnsafePointer<UInt32>, values: UnsafePointer<Float>,
    thresholds: UnsafePointer<Float>, vectors: UnsafePointer<NibbleVectors>
  ) {
    self.pairs = pairs
    self.buckets = buckets
    self.values = values
    self.thresholds = thresholds
    self.vectors = vectors
  }
}

/// The tables of a 4-bit codebook for vectors that can shuffle bytes and permute floats.
public struct NibbleVectors {
  /// The lowest byte of all sixteen values, then the second, third and fourth bytes.
  public var bytePlanes: SIMD64<UInt8>
  /// Whether threshold k is (k + 1.5) / 16, as in the linear map without zero.
  public var isLinear: Bool
  /// The thresholds in the order of a binary search: each answer is one more bit of the code, and the bits so far say
  /// where the next threshold is. The middle one of fifteen, then the two, four and eight that split what is left; the
  /// shorter ones repeat.
  public var first: Float
  public var second: SIMD8<Float>
  public var third: SIMD8<Float>
  public var fourth: SIMD8<Float>
  /// The search in one comparison. Every 4-bit map must have a spacing for it.
  public var cells: NibbleCells

  /// - Parameters: sixteen values and fifteen thresholds, ascending.
  @inlinable
  public init(values: UnsafePointer<Float>, thresholds t: UnsafePointer<Float>) {
    bytePlanes = SIMD64()
    for code in 0..<16 {
      let bits = values[code].bitPattern
      for plane in 0..<4 { bytePlanes[16 * plane + code] = UInt8(truncatingIfNeeded: bits >> UInt32(8 * plane)) }
    }
    first = t[7]
    second = SIMD8(t[3], t[11], t[3], t[11], t[3], t[11], t[3], t[11])
    third = SIMD8(t[1], t[5], t[9], t[13], t[1], t[5], t[9], t[13])
    fourth = SIMD8(t[0], t[2], t[4], t[6], t[8], t[10], t[12], t[14])
    isLinear = true
    for k in 0..<15 where t[k] != (Float(k) + 1.5) / 16 { isLinear = false }
    cells = NibbleCells(thresholds: t)
  }
}

/// values[i] = map value of the i-th nibble · scale. The even element is in the low nibble.
@inlinable @inline(__always)
public func decodeNibblesStage(
  _ codes: UnsafePointer<UInt8>, _ count: Int, _ scale: Float, _ map: NibbleMap, _ values: UnsafeMutablePointer<Float>
) {
  for byte in 0..<count / 2 {
    let pair = map.pairs + 2 &* Int(codes[byte])
    values[2 &* byte] = pair[0] * scale
    values[2 &* byte &+ 1] = pair[1] * scale
  }
  if count & 1 == 1 { values[count &- 1] = map.pairs[2 &* Int(codes[count / 2])] * scale }
}

/// The i-th nibble = the number of thresholds below values[i] · reciprocal: the nearest code, ties to the lower value.
/// An odd length leaves zero bits in the last high nibble.
@inlinable @inline(__always)
public func encodeNibblesStage(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ map: NibbleMap,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  let chunk = 64
  withUnsafeTemporaryAllocation(of: Int32.self, capacity: chunk) { buffer in
    let keys = buffer.baseAddress!
    var start = 0
    while start < count {
      let length = min(chunk, count &- start)
      for i in 0..<length { keys[i] = orderKey(values[start &+ i] * reciprocal) }
      let target = codes + start / 2
      for byte in 0..<length / 2 {
        let pair = keys + 2 &* byte
        target[byte] = bucketCode(pair, map.buckets) | bucketCode(pair + 1, map.buckets) &<< 4
      }
      if length & 1 == 1 { target[length / 2] = bucketCode(keys + (length &- 1), map.buckets) }
      start &+= chunk
    }
  }
}
