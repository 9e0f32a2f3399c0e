internal import TileKernels

/// Finds each bin's region for `BinTables`, such that levels are those of a list of thresholds for every float.
struct BinEncoder {
  private(set) var tables = BinTables()

  init(_ encoder: DecadeEncoder) {
    let thresholds = encoder.thresholds
    // In an unsigned map, the smallest magnitude that is not zero brings the sum from just above −1 to below it.
    let lowest =
      encoder.tables.isSigned
      ? LevelLine(threshold: thresholds[0], base: 1) : LevelLine(slope: -0x1p127, offset: Float(-1).nextUp, base: 0)
    let highest = LevelLine(threshold: thresholds.last!, base: thresholds.count)
    let lines = [lowest] + encoder.lines + [highest]
    for (region, line) in lines.enumerated() {
      tables.slopes[region] = line.slope
      tables.offsets[region] = line.offset
    }
    for bin in 0..<64 {
      let smallest = bin > 0 ? Self.smallest(of: bin) : 0
      // A magnitude times the rounded reciprocal of itself can be two units more than 1.
      let largest = min(Self.smallest(of: bin + 1).nextDown, Float(1).nextUp.nextUp)
      let first = thresholds.count { $0 < smallest }
      let inside = thresholds[first...].prefix { $0 < largest }
      // Where the level changes, and what it is before.
      let isRight = { (line: LevelLine) in
        line.level(smallest) == first && line.level(largest) == first + inside.count
          && zip(inside.indices, inside).allSatisfy { level, threshold in
            line.level(threshold) == level && line.level(threshold.nextUp) == level + 1
          }
      }
      guard let region = lines.firstIndex(where: isRight) else {
        fatalError("no line has the thresholds between \(smallest) and \(largest)")
      }
      let entry = UInt16(region | (lines[region].base + encoder.zeroCode) << 8)
      if bin < 32 {
        tables.regions.0[bin] = entry
      } else {
        tables.regions.1[bin - 32] = entry
      }
    }
  }

  private static func smallest(of bin: Int) -> Float {
    let upperHalf = BinTables.firstUpperHalf + (bin << 16 + BinTables.factor - 1) / BinTables.factor
    return Float(bitPattern: UInt32(upperHalf) << 16)
  }
}
