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
  /// The values again: the lowest byte of all 256, then the second, third and fourth bytes. Each begins a byte after a
  /// multiple of 64 in a signed map, which aligns the values from zero on, else at one.
  public var bytePlanes: UnsafePointer<UInt8>
  /// The arithmetic encoder.
  public var decades: UnsafePointer<DecadeTables>
  /// The same with other tables.
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
/// Region 0 is zero, region d + 1 is decade d, and region 8 is +1. A magnitude's octave pair (its exponent, halved) names
/// the lower of the two regions that it can be in; `ends` decides. In a region,
/// level = min(base + ⌊magnitude · slope + offset⌋, last).
public struct DecadeTables {
  public var isSigned: Bool
  /// For octave pairs 48…63.
  public var regions: SIMD16<UInt8>
  /// The largest magnitude of each region but the last.
  public var ends: SIMD8<Float>
  /// Of regions 0 to 7. Those of region 8 are zeros, as of region 0, for permutations that wrap around.
  public var slopes, offsets: SIMD8<Float>
  /// Each region's first and last level.
  public var bases, lasts: SIMD16<UInt8>

  public init(
    isSigned: Bool, regions: SIMD16<UInt8>, ends: SIMD8<Float>, slopes: SIMD8<Float>, offsets: SIMD8<Float>,
    bases: SIMD16<UInt8>, lasts: SIMD16<UInt8>
  ) {
    self.isSigned = isSigned
    self.regions = regions
    self.ends = ends
    self.slopes = slopes
    self.offsets = offsets
    self.bases = bases
    self.lasts = lasts
  }
}

/// The arithmetic encoder of a dynamic map, for vectors that can permute 16 floats and 64 half words. It compares nothing:
/// the upper half of a magnitude's bits, multiplied, names one of 64 bins, and each bin has one of 16 lines.
///
/// level = base + trunc(magnitude · slope + offset): exactly the levels of `DecadeTables`, but for zero in an unsigned map.
public struct BinTables {
  /// The upper half of the bits of the first bin's smallest magnitude. Even smaller ones are in that bin too.
  public var firstUpperHalf: Int
  /// A bin's number is the upper half of its magnitudes' bits, less `firstUpperHalf`, times this, divided by 2^16: bins are
  /// 512 / factor octaves wide.
  public var factor: Int
  /// Each bin's line.
  public var lines: (SIMD32<UInt16>, SIMD32<UInt16>)
  public var slopes, offsets: SIMD16<Float>
  public var bases: SIMD16<UInt8>

  public init(firstUpperHalf: Int, factor: Int) {
    self.firstUpperHalf = firstUpperHalf
    self.factor = factor
    (lines, slopes, offsets, bases) = ((SIMD32(), SIMD32()), SIMD16(), SIMD16(), SIMD16())
  }
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
