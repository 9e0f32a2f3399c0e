internal import TileKernels

/// The arithmetic encoder of an 8-bit dynamic map: within a decade, level = ⌊magnitude · slope + offset⌋.
///
/// Its rounding defines the thresholds of magnitudes between the smallest level and 1: the published midpoints moved by at
/// most two units in the last place, so that a list of thresholds, a bucket table and the arithmetic agree for every float.
/// The one below 1 is the midpoint itself, and so is the first of a signed map; that of an unsigned map is 0.
struct DecadeEncoder {
  /// Magnitude thresholds in ascending order; the first separates zero from the smallest level.
  private(set) var thresholds: [Float] = []
  /// Each decade's lines: one from its beginning, and one from its last level to beyond its end.
  private(set) var lines: [LevelLine] = []
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
    // An unsigned map gives every positive value a positive code.
    var first = map.sign == .unsigned ? 0 : midpoints[0]
    for (decade, levels) in map.decades.enumerated() {
      let region = decade + 1
      // A decade ends at its power of ten and its cells fill 0.9 of it. One unit less centres the rounding errors.
      let slope = Float(Double(levels.count) / (0.9 * DynamicMap.powerOfTen(decade - 6))).nextDown
      let offset = Float(-Double(levels.count) / 9)
      let line = LevelLine(slope: slope, offset: offset, base: thresholds.count + 1)
      ends[region - 1] = first
      slopes[region] = slope
      offsets[region] = offset
      bases[region] = UInt8(line.base)
      lasts[region] = UInt8(thresholds.count + levels.count)
      thresholds.append(first)
      for _ in 1..<levels.count {
        thresholds.append(line.threshold(above: thresholds.count, near: midpoints[thresholds.count]))
      }
      lines.append(line)
      first = midpoints[thresholds.count]
      if region < map.decades.count {
        // The next decade's cells are five times as wide, so the threshold at its beginning is one cell of this decade past
        // its end: a cell of twice the width, which is what rounding towards zero makes of the cell at zero.
        let pastEnd = LevelLine(slope: slope, offset: (offset - Float(levels.count)).nextUp, base: thresholds.count)
        first = pastEnd.threshold(above: thresholds.count, near: first)
        lines.append(pastEnd)
      }
    }
    ends[7] = first
    bases[8] = UInt8(thresholds.count + 1)
    lasts[8] = bases[8]
    thresholds.append(first)
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
}
