/// The tables of an 8-bit codebook, as the stages read them. Owned by the codebook.
public struct ByteMap {
  /// The 256 values, in code order.
  public var values: UnsafePointer<Float>
  /// By the upper half of a magnitude's bits, less `firstBucket`: the number of thresholds below the bucket in the upper
  /// half, and 0xffff less the lower half of the one threshold inside it in the lower half. Adding a magnitude's lower
  /// half carries into the count exactly when the magnitude is above that threshold.
  public var buckets: UnsafePointer<UInt32>
  public var firstBucket: UInt32
  /// The bucket for all that is out of range (too small for the first threshold, NaN): no threshold below.
  public var outside: UInt32
  /// The code of zero: 127 in a signed map, 0 in an unsigned one.
  public var zeroCode: Int32
  /// The arithmetic encoder: eight floats each of first thresholds, slopes and offsets (see `DecadeTable`).
  public var decades: UnsafePointer<Float>
  public var topThreshold: Float

  public init(
    values: UnsafePointer<Float>, buckets: UnsafePointer<UInt32>, firstBucket: UInt32, outside: UInt32,
    zeroCode: Int32, decades: UnsafePointer<Float>, topThreshold: Float
  ) {
    self.values = values
    self.buckets = buckets
    self.firstBucket = firstBucket
    self.outside = outside
    self.zeroCode = zeroCode
    self.decades = decades
    self.topThreshold = topThreshold
  }
}

/// values[i] = map value of codes[i] · scale.
@inlinable @inline(__always)
public func decodeBytesStage(
  _ codes: UnsafePointer<UInt8>, _ count: Int, _ scale: Float, _ map: ByteMap, _ values: UnsafeMutablePointer<Float>
) {
  for i in 0..<count { values[i] = map.values[Int(codes[i])] * scale }
}

/// The number of magnitude thresholds below the float whose bits these are.
@inlinable @inline(__always)
public func magnitudeLevel(_ bits: UInt32, _ map: ByteMap) -> UInt32 {
  let bucket = min((bits &>> 16) &- map.firstBucket, map.outside)
  return (map.buckets[Int(bucket)] &+ (bits & 0xffff)) &>> 16
}

/// codes[i] = code of values[i] · reciprocal, nearest, ties to the lower value.
@inlinable @inline(__always)
public func encodeSignedBytesStage(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ map: ByteMap, _ codes: UnsafeMutablePointer<UInt8>
) {
  let zero = map.zeroCode
  for i in 0..<count {
    let bits = (values[i] * reciprocal).bitPattern
    let negative = bits &>> 31
    // A negative value on a threshold belongs to the lower code, as a positive one does: one unit more of magnitude.
    let level = Int32(bitPattern: magnitudeLevel((bits & 0x7fff_ffff) &+ negative, map))
    let sign = 0 &- Int32(bitPattern: negative)
    codes[i] = UInt8(truncatingIfNeeded: max(zero &+ ((level ^ sign) &- sign), 0))
  }
}

/// The same for a map of non-negative values, where a positive value never takes the code of zero.
@inlinable @inline(__always)
public func encodeUnsignedBytesStage(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ map: ByteMap, _ codes: UnsafeMutablePointer<UInt8>
) {
  for i in 0..<count {
    let value = values[i]
    let level = magnitudeLevel((value * reciprocal).bitPattern, map)
    codes[i] = UInt8(truncatingIfNeeded: max(level, value > 0 ? 1 : 0))
  }
}
