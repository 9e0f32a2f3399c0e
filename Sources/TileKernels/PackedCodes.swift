/// The tables of a codebook of 2 or 3 bits, as the stages read them. Owned by the codebook.
public struct PackedMap {
  /// Bits per code.
  public var bits: Int
  /// The values, in code order. Sixteen can be read.
  public var values: UnsafePointer<Float>
  /// The thresholds, ascending. Sixteen can be read; those beyond the codebook's are infinite.
  public var thresholds: UnsafePointer<Float>

  public init(bits: Int, values: UnsafePointer<Float>, thresholds: UnsafePointer<Float>) {
    self.bits = bits
    self.values = values
    self.thresholds = thresholds
  }
}

/// Eight codes, one a byte, brought together in 8 · `bits` bits: `bits` whole bytes. Code i is in bits i · `bits` and up.
@inlinable @inline(__always)
public func packedEight(_ codes: UInt64, _ bits: UInt64) -> UInt64 {
  let pairs = (codes | codes &>> (8 &- bits)) & 0x00ff_00ff_00ff_00ff
  let fours = (pairs | pairs &>> (16 &- 2 &* bits)) & 0x0000_ffff_0000_ffff
  return (fours | fours &>> (32 &- 4 &* bits)) & 0xffff_ffff
}

/// The opposite of `packedEight`.
@inlinable @inline(__always)
public func unpackedEight(_ packed: UInt64, _ bits: UInt64) -> UInt64 {
  let ofFours = ((1 &<< (4 &* bits)) &- 1) &* 0x0000_0001_0000_0001 as UInt64
  let ofPairs = ((1 &<< (2 &* bits)) &- 1) &* 0x0001_0001_0001_0001 as UInt64
  let ofCodes = ((1 &<< bits) &- 1) &* 0x0101_0101_0101_0101 as UInt64
  let fours = (packed | packed &<< (32 &- 4 &* bits)) & ofFours
  let pairs = (fours | fours &<< (16 &- 2 &* bits)) & ofPairs
  return (pairs | pairs &<< (8 &- bits)) & ofCodes
}

/// values[i] = levels[code i], for codes of 2, 3 or 4 bits. The levels carry the block's scale; sixteen can be read.
@inlinable @inline(__always)
public func decodeLevelsStage(
  _ codes: UnsafePointer<UInt8>, _ count: Int, _ bits: Int, _ levels: UnsafePointer<Float>,
  _ values: UnsafeMutablePointer<Float>
) {
  // A constant width each, which makes the shifts constants.
  switch bits {
  case 2: decodeLevels(codes, count, 2, levels, values)
  case 3: decodeLevels(codes, count, 3, levels, values)
  default: decodeLevels(codes, count, 4, levels, values)
  }
}

@inlinable @inline(__always)
func decodeLevels(
  _ codes: UnsafePointer<UInt8>, _ count: Int, _ bits: Int, _ levels: UnsafePointer<Float>,
  _ values: UnsafeMutablePointer<Float>
) {
  for group in 0..<count / 8 { decodeGroup(codes + group &* bits, 8, bits, levels, values + 8 &* group) }
  let rest = count % 8
  if rest > 0 { decodeGroup(codes + count / 8 &* bits, rest, bits, levels, values + (count &- rest)) }
}

/// At most eight values.
@inlinable @inline(__always)
func decodeGroup(
  _ codes: UnsafePointer<UInt8>, _ count: Int, _ bits: Int, _ levels: UnsafePointer<Float>,
  _ values: UnsafeMutablePointer<Float>
) {
  var packed: UInt64 = 0
  for byte in 0..<(count &* bits &+ 7) / 8 { packed |= UInt64(codes[byte]) &<< UInt64(8 &* byte) }
  let unpacked = unpackedEight(packed, UInt64(bits))
  for i in 0..<count { values[i] = levels[Int(unpacked &>> UInt64(8 &* i) & 0xff)] }
}

/// Code i = the number of thresholds below values[i] · reciprocal: the nearest code, ties to the lower value.
/// Bits beyond the last code are zero.
@inlinable @inline(__always)
public func encodePackedStage(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ map: PackedMap,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  packCounts(count, map.bits, map.thresholds, fromTop: false, codes) { values[$0] * reciprocal }
}

/// Packs, for each of `count` values, the number of thresholds below it, or that of the others. There are 2^bits − 1;
/// sixteen can be read.
@inlinable @inline(__always)
func packCounts(
  _ count: Int, _ bits: Int, _ thresholds: UnsafePointer<Float>, fromTop: Bool, _ codes: UnsafeMutablePointer<UInt8>,
  _ value: (Int) -> Float
) {
  let chunk = 64
  withUnsafeTemporaryAllocation(of: UInt64.self, capacity: chunk / 8 &+ chunk / 2) { buffer in
    let words = buffer.baseAddress!
    let levels = UnsafeMutableRawPointer(words).assumingMemoryBound(to: UInt8.self)
    let scaled = UnsafeMutableRawPointer(words + chunk / 8).assumingMemoryBound(to: Float.self)
    var start = 0
    while start < count {
      let length = min(chunk, count &- start)
      if length < chunk { for word in 0..<chunk / 8 { words[word] = 0 } }
      // Loops of their own: each is simple enough to be vectorised.
      for i in 0..<length { scaled[i] = value(start &+ i) }
      countBelow(scaled, length, bits, thresholds, fromTop: fromTop, levels)
      let first = codes + start / 8 &* bits
      switch bits {
      case 2: packChunk(words, length, 2, first)
      case 3: packChunk(words, length, 3, first)
      default: packChunk(words, length, 4, first)
      }
      start &+= chunk
    }
  }
}

/// counts[i] = the number of thresholds below values[i], or that of the others.
@inlinable @inline(__always)
func countBelow(
  _ values: UnsafePointer<Float>, _ count: Int, _ bits: Int, _ thresholds: UnsafePointer<Float>, fromTop: Bool,
  _ counts: UnsafeMutablePointer<UInt8>
) {
  let t = thresholds
  let (t0, t1, t2, t3, t4, t5, t6, t7) = (t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7])
  let (t8, t9, t10, t11, t12, t13, t14) = (t[8], t[9], t[10], t[11], t[12], t[13], t[14])
  let last: Int32 = (1 &<< Int32(truncatingIfNeeded: bits)) &- 1
  let flip = fromTop ? last : 0
  @inline(__always) func above(_ y: Float, _ threshold: Float) -> Int32 {
    Int32(truncatingIfNeeded: unsafeBitCast(y > threshold, to: UInt8.self))
  }
  switch bits {
  case 2:
    for i in 0..<count {
      let y = values[i]
      counts[i] = UInt8(truncatingIfNeeded: (above(y, t0) &+ above(y, t1) &+ above(y, t2)) ^ flip)
    }
  case 3:
    for i in 0..<count {
      let y = values[i]
      let low = above(y, t0) &+ above(y, t1) &+ above(y, t2) &+ above(y, t3)
      let high = above(y, t4) &+ above(y, t5) &+ above(y, t6)
      counts[i] = UInt8(truncatingIfNeeded: (low &+ high) ^ flip)
    }
  default:
    for i in 0..<count {
      let y = values[i]
      let low = above(y, t0) &+ above(y, t1) &+ above(y, t2) &+ above(y, t3) &+ above(y, t4)
      let middle = above(y, t5) &+ above(y, t6) &+ above(y, t7) &+ above(y, t8) &+ above(y, t9)
      let high = above(y, t10) &+ above(y, t11) &+ above(y, t12) &+ above(y, t13) &+ above(y, t14)
      counts[i] = UInt8(truncatingIfNeeded: (low &+ middle &+ high) ^ flip)
    }
  }
}

/// Packs `count` codes, one a byte, zero bytes beyond them.
@inlinable @inline(__always)
func packChunk(_ words: UnsafePointer<UInt64>, _ count: Int, _ bits: Int, _ codes: UnsafeMutablePointer<UInt8>) {
  for group in 0..<count / 8 {
    let packed = packedEight(UInt64(littleEndian: words[group]), UInt64(bits))
    for byte in 0..<bits { codes[group &* bits &+ byte] = UInt8(truncatingIfNeeded: packed &>> UInt64(8 &* byte)) }
  }
  let rest = count % 8
  if rest > 0 {
    let packed = packedEight(UInt64(littleEndian: words[count / 8]), UInt64(bits))
    for byte in 0..<(rest &* bits &+ 7) / 8 {
      codes[count / 8 &* bits &+ byte] = UInt8(truncatingIfNeeded: packed &>> UInt64(8 &* byte))
    }
  }
}
