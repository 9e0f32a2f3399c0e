internal import TileKernels

/// Finds the lines of `BinTables`, such that levels are those of a list of thresholds for every float.
struct BinEncoder {
  private(set) var tables: BinTables

  init(_ encoder: DecadeEncoder) {
    // With these, bins end where lines may end, above each power of ten.
    let isSigned = encoder.tables.isSigned
    tables = isSigned ? BinTables(firstUpperHalf: 13580, factor: 1544) : BinTables(firstUpperHalf: 13551, factor: 1527)
    var lines: [LevelLine] = []
    for bin in 0..<64 {
      let bounds = Bounds(
        lowest: bin > 0 ? smallest(of: bin) : isSigned ? 0 : .leastNonzeroMagnitude,
        // A magnitude times the rounded reciprocal of itself can be two units more than 1.
        highest: min(smallest(of: bin + 1).nextDown, Float(1).nextUp.nextUp))
      let number = Self.addLine(in: bounds, encoder, to: &lines)
      if bin < 32 {
        tables.lines.0[bin] = UInt16(number)
      } else {
        tables.lines.1[bin - 32] = UInt16(number)
      }
    }
    precondition(lines.count <= 16, "\(lines.count) lines")
    for (number, line) in lines.enumerated() {
      tables.slopes[number] = line.slope
      tables.offsets[number] = line.offset
      tables.bases[number] = UInt8(truncatingIfNeeded: line.base)
    }
  }

  private func smallest(of bin: Int) -> Float {
    let upperHalf = tables.firstUpperHalf + (bin << 16 + tables.factor - 1) / tables.factor
    return Float(bitPattern: UInt32(upperHalf) << 16)
  }

  private struct Bounds {
    var lowest, highest: Float
  }

  private static func addLine(in bounds: Bounds, _ encoder: DecadeEncoder, to lines: inout [LevelLine]) -> Int {
    let first = encoder.thresholds.count { $0 < bounds.lowest }
    let inside = encoder.thresholds[first...].prefix { $0 < bounds.highest }
    // Where the level changes, and what it is before.
    let isRight = { (line: LevelLine) in
      line.level(bounds.lowest) == first && line.level(bounds.highest) == first + inside.count
        && zip(inside.indices, inside).allSatisfy { level, threshold in
          line.level(threshold) == level && line.level(threshold.nextUp) == level + 1
        }
    }
    if let number = lines.firstIndex(where: isRight) { return number }
    var candidates = encoder.lines
    if inside.isEmpty { candidates.append(LevelLine(slope: 0, offset: 0, base: first)) }
    if inside.count == 1, let threshold = inside.first {
      // A power of two makes no rounding error, nor do numbers from ½ to 1 subtracted from 1.
      let next = threshold.nextUp
      let slope = 0.5 / Float(sign: .plus, exponent: next.exponent, significand: 1)
      candidates.append(LevelLine(slope: slope, offset: 1 - next * slope, base: first))
    }
    if inside.count == 2 { candidates += Self.lines(through: inside[first], inside[first + 1], first) }
    guard let line = candidates.first(where: isRight) else {
      fatalError("no line has the thresholds between \(bounds.lowest) and \(bounds.highest)")
    }
    lines.append(line)
    return lines.count - 1
  }

  /// Lines that change the level near two values: at 1 and 2, at −2 and −1, which leaves a cell of twice the width above
  /// them, or at −1 and 1; those with neighbouring slopes.
  private static func lines(through first: Float, _ second: Float, _ level: Int) -> [LevelLine] {
    (-500...500).flatMap { units in
      let slope = Float(bitPattern: UInt32(Int((1 / (second - first)).bitPattern) + units))
      return [
        LevelLine(slope: slope, offset: 1 - first.nextUp * slope, base: level),
        LevelLine(slope: slope, offset: -2 - first * slope, base: level + 2),
        LevelLine(slope: 2 * slope, offset: -1 - first * (2 * slope), base: level + 1),
      ]
    }
  }
}
