/// The tables of an 8-bit dynamic codebook, as the stages read them. Owned by the codebook.
public struct ByteMap {
  /// The 256 values, in code order.
  public var values: UnsafePointer<Float>
  /// 65,536 entries by the upper half of a value's order key (see `orderKey`), from −32,768. The upper half of an entry
  /// is the number of thresholds below the bucket, the lower half 0xffff less the lower half of the one threshold inside
  /// it. Adding a key's lower half carries into the count exactly when the key is above that threshold.
  public var buckets: UnsafePointer<UInt32>
  /// The values' bits again, each in the upper half of a word.
  public var shiftedValues: UnsafePointer<UInt64>
  /// The values again: the lowest byte of all 256, then the second, third and fourth bytes. In a signed map each begins a
  /// byte after a multiple of 64, which aligns the values from zero on, and in the place of zero is the byte of +1; else
  /// each begins at a multiple of 64.
  public var bytePlanes: UnsafePointer<UInt8>
  /// The arithmetic encoder.
  public var decades: UnsafePointer<DecadeTables>
  /// Another one, which gives the same codes.
  public var bins: UnsafePointer<BinTables>

  public init(
    values: UnsafePointer<Float>, shiftedValues: UnsafePointer<UInt64>, buckets: UnsafePointer<UInt32>,
    bytePlanes: UnsafePointer<UInt8>, decades: UnsafePointer<DecadeTables>, bins: UnsafePointer<BinTables>
  ) {
    self.values = values
    self.shiftedValues = shiftedValues
    self.buckets = buckets
    self.bytePlanes = bytePlanes
    self.decades = decades
    self.bins = bins
  }

  @inlinable @inline(__always)
  public var isSigned: Bool { decades.pointee.isSigned }
}

/// The arithmetic encoder of a dynamic map, for vectors that can permute eight floats.
///
/// Region 0 is near zero, region d + 1 is decade d, and region 8 is +1. A magnitude's octave pair (its exponent, halved)
/// names the lower of the two regions that it can be in; `ends` decides. In a region,
/// level = base − trunc(magnitude · slope + offset), with one rounding; the slope is negative.
public struct DecadeTables {
  public var isSigned: Bool
  /// For octave pairs 48…63.
  public var regions = SIMD16<UInt8>()
  /// The largest magnitude of each region but the last.
  public var ends = SIMD8<Float>()
  /// Of regions 0 to 7. Permutations wrap around: region 8 has those of region 0.
  public var slopes = SIMD8<Float>(), offsets = SIMD8<Float>()
  /// The codes that magnitudes with these levels have if they are positive.
  public var bases = SIMD16<UInt8>()

  public init(isSigned: Bool) { self.isSigned = isSigned }
}

/// The same for vectors that can permute 16 floats and 64 half words. It compares nothing: the upper half of a magnitude's
/// bits names one of 64 bins, a third of an octave each, and bins lie so that each can be of one region.
///
/// Conversion to unsigned integers makes −1 of all that is −1 or less, so that a region's line holds until the second
/// threshold after it.
public struct BinTables {
  /// Each bin's region, and above that byte the base of the region.
  public var regions: (SIMD32<UInt16>, SIMD32<UInt16>) = (SIMD32(), SIMD32())
  public var slopes = SIMD16<Float>(), offsets = SIMD16<Float>()

  public init() {}

  /// The upper half of the bits of the first bin's smallest magnitude. Even smaller ones are in that bin too.
  @inlinable @inline(__always)
  public static var firstUpperHalf: Int { 13312 }

  /// A bin's number is the upper half of its magnitudes' bits, less `firstUpperHalf`, times this, divided by 2^16: bins are
  /// 512 / factor octaves wide.
  @inlinable @inline(__always)
  public static var factor: Int { 1403 }
}

/// values[i] = map value of codes[i] · scale.
@inlinable @inline(__always)
public func decodeBytesStage(
  _ codes: UnsafePointer<UInt8>, _ count: Int, _ scale: Float, _ map: ByteMap, _ values: UnsafeMutablePointer<Float>
) {
  for i in 0..<count { values[i] = map.values[Int(codes[i])] * scale }
}

/// An integer that orders like the float: its bits, with those below the sign inverted where it is negative.
@inlinable @inline(__always)
public func orderKey(_ value: Float) -> Int32 {
  let bits = Int32(bitPattern: value.bitPattern)
  return bits ^ Int32(bitPattern: UInt32(bitPattern: bits &>> 31) &>> 1)
}

/// codes[i] = the number of thresholds below values[i] · reciprocal: the nearest code.
///
/// Exact for every float and every table with at most one threshold to a bucket. Every index is inside the table, so no
/// value can read past it.
@inlinable @inline(__always)
public func encodeBytesStage(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ map: ByteMap,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  let chunk = 64
  withUnsafeTemporaryAllocation(of: Int32.self, capacity: chunk) { buffer in
    let keys = buffer.baseAddress!
    var start = 0
    while start < count {
      let end = min(chunk, count &- start)
      // Two loops: the first is vectorised, the second looks up one value at a time.
      for i in 0..<end { keys[i] = orderKey(values[start &+ i] * reciprocal) }
      for i in 0..<end { codes[start &+ i] = bucketCode(keys + i, map.buckets) }
      start &+= chunk
    }
  }
}

/// The code of the value that has this order key. Reading the key in two halves costs less than taking it apart.
@inlinable @inline(__always)
func bucketCode(_ key: UnsafePointer<Int32>, _ buckets: UnsafePointer<UInt32>) -> UInt8 {
  let halves = UnsafeRawPointer(key)
  let bucket = Int(halves.load(fromByteOffset: 2, as: Int16.self))
  let lower = UInt32(halves.load(as: UInt16.self))
  return UInt8(truncatingIfNeeded: (buckets[bucket] &+ lower) &>> 16)
}
