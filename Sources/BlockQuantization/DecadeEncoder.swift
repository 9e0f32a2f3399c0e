internal import TileKernels

/// The arithmetic encoder of an 8-bit dynamic map: a line for each decade.
///
/// Its rounding defines the thresholds of magnitudes between the smallest level and 1: the published midpoints moved by at
/// most three units in the last place, so that a list of thresholds, a bucket table and the arithmetic agree for every float.
/// The one below 1 is the midpoint itself, and so is the first of a signed map; that of an unsigned map is 0.
struct DecadeEncoder {
  /// Magnitude thresholds in ascending order; the first separates zero from the smallest level.
  private(set) var thresholds: [Float] = []
  /// Each decade's line. It holds from the threshold at the decade's beginning to the one after its end, and beyond until
  /// the next.
  private(set) var lines: [LevelLine] = []
  private(set) var tables: DecadeTables
  /// The code of level 0. Those of positive levels follow it.
  let zeroCode: Int

  init(_ map: DynamicMap) {
    precondition(map.bits == 8)
    let positive: [Float] = Array(map.decades.joined()) + [1]
    let midpoints = zip([0] + positive, positive).map { (low: Float, high: Float) in (low + high) * 0.5 }
    tables = DecadeTables(isSigned: map.sign == .signed)
    zeroCode = map.sign == .signed ? 127 : 0
    // An unsigned map gives every positive value a positive code.
    thresholds.append(map.sign == .signed ? midpoints[0] : 0)
    for (decade, levels) in map.decades.enumerated() {
      // A decade ends at its power of ten and its cells fill 0.9 of it. Some units less centre the rounding errors.
      let slope = -Float(Double(levels.count) / (0.9 * DynamicMap.powerOfTen(decade - 6))).nextDown.nextDown
      let offset = Float(Double(levels.count) / 0.9).nextDown
      let last = thresholds.count - 1 + levels.count
      let line = LevelLine(slope: slope, offset: offset, base: last)
      let region = decade + 1
      tables.ends[region - 1] = thresholds.last!
      tables.slopes[region] = slope
      tables.offsets[region] = offset
      tables.bases[region] = UInt8(zeroCode + last)
      // The next decade's cells are five times as wide, so the threshold at its beginning is one cell of this decade past
      // its end.
      while thresholds.count <= min(last, midpoints.count - 2) {
        thresholds.append(line.threshold(above: thresholds.count, near: midpoints[thresholds.count]))
      }
      lines.append(line)
    }
    thresholds.append(midpoints.last!)
    tables.ends[7] = thresholds.last!
    tables.bases[8] = UInt8(zeroCode + thresholds.count)
    tables.bases[0] = UInt8(zeroCode)
    if map.sign == .unsigned {
      // The first decade's own line does not reach down to zero.
      let line = LevelLine(threshold: thresholds[1], base: 2)
      tables.slopes[1] = line.slope
      tables.offsets[1] = line.offset
    }
    setRegions()
  }

  /// The lowest region of each octave pair from 48 to 63. A pair spans a factor of 4, so it meets at most one end.
  private mutating func setRegions() {
    let ends = tables.ends
    for pair in 1..<16 {
      let smallest = Float(bitPattern: UInt32(pair + 48) << 24)
      tables.regions[pair] = UInt8(ends.indices.count { ends[$0] < smallest })
    }
  }
}
