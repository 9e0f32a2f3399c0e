/// The arithmetic encoder of an 8-bit dynamic map: within a decade, level = ⌊magnitude · slope + offset⌋.
///
/// Its rounding defines the thresholds inside the decades: the published midpoints moved by at most two units in the
/// last place, so that a table of thresholds, a bucket table and the arithmetic agree for every float. The thresholds
/// between decades, and the one below 1, are the midpoints themselves.
struct DecadeTable {
  /// Magnitude thresholds in ascending order; the first separates zero from the smallest level.
  let thresholds: [Float]
  /// First threshold, slope and offset for regions 0…7: region 0 is zero, region d + 1 is decade d.
  let firstThresholds: [Float]
  let slopes: [Float]
  let offsets: [Float]

  init(_ map: DynamicMap) {
    precondition(map.bits == 8)
    let positive: [Float] = Array(map.decades.joined()) + [1]
    let midpoints = zip([0] + positive, positive).map { (low: Float, high: Float) in (low + high) * 0.5 }
    // An unsigned map gives every positive value a positive code.
    let smallest: Float = map.sign == .signed ? midpoints[0] : 0

    var thresholds: [Float] = []
    var slopes: [Float] = [0]
    var offsets: [Float] = [map.sign == .signed ? -1.5 : 0]
    var firstThresholds: [Float] = []
    for (decade, levels) in map.decades.enumerated() {
      let cells = levels.count
      let first = thresholds.isEmpty ? smallest : midpoints[thresholds.count]
      // A decade ends at its power of ten and its cells fill 0.9 of it. One unit less centres the rounding errors.
      let slope = Float(Double(cells) / (0.9 * DynamicMap.powerOfTen(decade - 6))).nextDown
      let offset = Float(-Double(cells) / 9)
      firstThresholds.append(first)
      slopes.append(slope)
      offsets.append(offset)
      thresholds.append(first)
      for cell in 1..<cells {
        thresholds.append(Self.lastValue(below: cell, near: midpoints[thresholds.count], slope, offset))
      }
    }
    thresholds.append(midpoints[thresholds.count])
    self.thresholds = thresholds
    // Region r ends at firstThresholds[r]; the last decade has no further one.
    self.firstThresholds = firstThresholds + [.infinity]
    self.slopes = slopes
    self.offsets = offsets
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
