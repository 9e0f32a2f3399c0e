/// uniforms[i] = a random number in [0, 1) with 24 bits, a pure function of the key and i.
///
/// A 32-bit integer finalizer of two multiplications (Wang and Wellons' "lowbias32") over the lower half of the key; the
/// upper half comes in between, so that blocks which share the lower half have nothing else in common.
@inlinable @inline(__always)
public func fillUniformsStage(_ key: UInt64, _ count: Int, _ uniforms: UnsafeMutablePointer<Float>) {
  let low = UInt32(truncatingIfNeeded: key)
  let high = UInt32(truncatingIfNeeded: key &>> 32)
  for i in 0..<count {
    var h = low &+ UInt32(truncatingIfNeeded: i) &* 0x9e37_79b9
    h = (h ^ h &>> 16) &* 0x7feb_352d &+ high
    h = (h ^ h &>> 15) &* 0x846c_a68b
    h ^= h &>> 16
    uniforms[i] = Float(Int32(bitPattern: h &>> 8)) * 0x1p-24
  }
}

/// What `fillUniformsStage` makes a block's numbers of, from the key of all blocks.
@inlinable @inline(__always)
public func uniformsKey(_ streamKey: UInt64, ofBlock block: Int) -> UInt64 {
  mixed(streamKey ^ UInt64(truncatingIfNeeded: block))
}

/// SplitMix64's next number: every bit of the input changes every bit of the result with probability ½.
@inlinable @inline(__always)
public func mixed(_ value: UInt64) -> UInt64 {
  var z = value &+ 0x9e37_79b9_7f4a_7c15
  z = (z ^ z &>> 30) &* 0xbf58_476d_1ce4_e5b9
  z = (z ^ z &>> 27) &* 0x94d0_49bb_1331_11eb
  return z ^ z &>> 31
}
