internal import TileKernels

/// Finds one line for each bin of `BinTables`, such that levels are those of a list of thresholds for every float.
struct BinEncoder {
  private(set) var tables = BinTables()

  /// - Parameter encoder: of the signed map.
  init(_ encoder: DecadeEncoder) {
    for bin in BinTables.firstBin..<BinTables.firstBin + 32 {
      let bounds = Bounds(
        lowest: bin == BinTables.firstBin ? 0 : Self.smallest(of: bin),
        // A magnitude times the rounded reciprocal of itself can be two units more than 1, and negative ones get another.
        highest: min(Self.smallest(of: bin + 1).nextDown, Float(1).nextUp.nextUp.nextUp))
      let line = Self.line(in: bounds, encoder)
      if bin & 16 == 0 {
        tables.slopes.0[bin & 15] = line.slope
        tables.offsets.0[bin & 15] = line.offset
      } else {
        tables.slopes.1[bin & 15] = line.slope
        tables.offsets.1[bin & 15] = line.offset
      }
      tables.bases[bin & 63] = UInt8(truncatingIfNeeded: line.base)
    }
  }

  private struct Bounds {
    var lowest, highest: Float
  }

  private static func smallest(of bin: Int) -> Float {
    Float(bitPattern: UInt32(BinTables.smallestUpperHalf(of: bin)) << 16)
  }

  private static func line(in bounds: Bounds, _ encoder: DecadeEncoder) -> LevelLine {
    let first = encoder.thresholds.count { $0 < bounds.lowest }
    let inside = encoder.thresholds[first...].prefix { $0 < bounds.highest }
    // Where the level changes, and what it is before.
    let isRight = { (line: LevelLine) in
      line.level(bounds.lowest) == first && line.level(bounds.highest) == first + inside.count
        && zip(inside.indices, inside).allSatisfy { level, threshold in
          line.level(threshold) == level && line.level(threshold.nextUp) == level + 1
        }
    }
    if inside.isEmpty { return LevelLine(slope: 0, offset: 0, base: first) }
    if inside.count == 1, let threshold = inside.first {
      // A power of two makes no rounding error, nor do numbers from ½ to 1 subtracted from 1.
      let next = threshold.nextUp
      let slope = 0.5 / Float(sign: .plus, exponent: next.exponent, significand: 1)
      let line = LevelLine(slope: slope, offset: 1 - next * slope, base: first)
      if isRight(line) { return line }
    }
    if let line = encoder.lines.first(where: isRight) { return line }
    if inside.count == 2, let line = lines(through: inside[first], inside[first + 1], first).first(where: isRight) {
      return line
    }
    fatalError("no line has the thresholds between \(bounds.lowest) and \(bounds.highest)")
  }

  /// Lines that change the level near two values: those with neighbouring slopes.
  private static func lines(through first: Float, _ second: Float, _ level: Int) -> [LevelLine] {
    let slope = 1 / (second - first)
    return (-500...500).map { units in
      let slope = Float(bitPattern: UInt32(Int(slope.bitPattern) + units))
      return LevelLine(slope: slope, offset: 1 - first.nextUp * slope, base: level)
    }
  }
}
