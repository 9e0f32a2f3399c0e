internal import TileKernels

/// The arithmetic encoder of an 8-bit dynamic map: within a decade, level = ⌊magnitude · slope + offset⌋.
///
/// Its rounding defines the thresholds inside the decades: the published midpoints moved by at most two units in the
/// last place, so that a list of thresholds, a bucket table and the arithmetic agree for every float. The thresholds
/// between decades, and the one below 1, are the midpoints themselves.
struct DecadeEncoder {
  /// Magnitude thresholds in ascending order; the first separates zero from the smallest level.
  private(set) var thresholds: [Float] = []
  let tables: DecadeTables

  init(_ map: DynamicMap) {
    precondition(map.bits == 8)
    let positive: [Float] = Array(map.decades.joined()) + [1]
    let midpoints = zip([0] + positive, positive).map { (low: Float, high: Float) in (low + high) * 0.5 }
    var ends = SIMD8<Float>()
    var slopes = SIMD8<Float>()
    var offsets = SIMD8<Float>()
    var bases = SIMD16<UInt8>()
    var lasts = SIMD16<UInt8>()
    for (decade, levels) in map.decades.enumerated() {
      let region = decade + 1
      // An unsigned map gives every positive value a positive code.
      let first = thresholds.isEmpty && map.sign == .unsigned ? 0 : midpoints[thresholds.count]
      // A decade ends at its power of ten and its cells fill 0.9 of it. One unit less centres the rounding errors.
      let slope = Float(Double(levels.count) / (0.9 * DynamicMap.powerOfTen(decade - 6))).nextDown
      let offset = Float(-Double(levels.count) / 9)
      ends[region - 1] = first
      slopes[region] = slope
      offsets[region] = offset
      bases[region] = UInt8(thresholds.count + 1)
      lasts[region] = UInt8(thresholds.count + levels.count)
      thresholds.append(first)
      for cell in 1..<levels.count {
        thresholds.append(Self.lastValue(below: cell, near: midpoints[thresholds.count], slope, offset))
      }
    }
    ends[7] = midpoints[thresholds.count]
    bases[8] = UInt8(thresholds.count + 1)
    lasts[8] = bases[8]
    thresholds.append(ends[7])
    tables = DecadeTables(
      isSigned: map.sign == .signed, regions: Self.regions(ends: ends), ends: ends, slopes: slopes, offsets: offsets,
      bases: bases, lasts: lasts)
  }

  /// The lowest region of each octave pair from 48 to 63. A pair spans a factor of 4, so it meets at most one end.
  private static func regions(ends: SIMD8<Float>) -> SIMD16<UInt8> {
    var regions = SIMD16<UInt8>()
    for pair in 1..<16 {
      let smallest = Float(bitPattern: UInt32(pair + 48) << 24)
      regions[pair] = UInt8(ends.indices.count { ends[$0] < smallest })
    }
    return regions
  }

  /// The largest float that the arithmetic puts below `cell`, which must be within 4 units of the midpoint.
  private static func lastValue(below cell: Int, near midpoint: Float, _ slope: Float, _ offset: Float) -> Float {
    var value = midpoint
    for _ in 0..<4 { value = value.nextUp }
    for _ in 0..<9 {
      if Int(value * slope + offset) < cell { return value }
      value = value.nextDown
    }
    fatalError("the decade encoder misses the midpoint \(midpoint)")
  }
}
