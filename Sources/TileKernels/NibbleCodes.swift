/// The tables of a 4-bit codebook, as the stages read them. Owned by the codebook.
public struct NibbleMap {
  /// 512 floats: for each byte, the value of its low nibble and that of its high nibble.
  public var pairs: UnsafePointer<Float>
  /// The fifteen thresholds, ascending, and an unused lane.
  public var thresholds: UnsafePointer<SIMD16<Float>>

  public init(pairs: UnsafePointer<Float>, thresholds: UnsafePointer<SIMD16<Float>>) {
    self.pairs = pairs
    self.thresholds = thresholds
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
  let t = map.thresholds.pointee
  let (t0, t1, t2, t3, t4, t5, t6, t7) = (t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7])
  let (t8, t9, t10, t11, t12, t13, t14) = (t[8], t[9], t[10], t[11], t[12], t[13], t[14])
  @inline(__always) func above(_ value: Float, _ threshold: Float) -> Int32 { value > threshold ? 1 : 0 }

  let chunk = 64
  withUnsafeTemporaryAllocation(of: Int32.self, capacity: chunk) { buffer in
    let levels = buffer.baseAddress!
    var start = 0
    while start < count {
      let length = min(chunk, count &- start)
      for i in 0..<length {
        let y = values[start &+ i] * reciprocal
        let low = above(y, t0) &+ above(y, t1) &+ above(y, t2) &+ above(y, t3) &+ above(y, t4)
        let middle = above(y, t5) &+ above(y, t6) &+ above(y, t7) &+ above(y, t8) &+ above(y, t9)
        let high = above(y, t10) &+ above(y, t11) &+ above(y, t12) &+ above(y, t13) &+ above(y, t14)
        levels[i] = low &+ middle &+ high
      }
      for byte in 0..<length / 2 {
        codes[start / 2 &+ byte] = UInt8(truncatingIfNeeded: levels[2 &* byte] | levels[2 &* byte &+ 1] &<< 4)
      }
      if length & 1 == 1 { codes[(start &+ length) / 2] = UInt8(truncatingIfNeeded: levels[length &- 1]) }
      start &+= chunk
    }
  }
}
