/// One piece of an arithmetic encoder: level = base + trunc(magnitude · slope + offset), product and sum in float32.
struct LevelLine {
  var slope, offset: Float
  /// The level of the cell at zero.
  var base: Int

  func level(_ magnitude: Float) -> Int { base + Int(magnitude * slope + offset) }

  /// The largest float that has this level or a lower one, which must be within 4 units of the midpoint.
  func threshold(above level: Int, near midpoint: Float) -> Float {
    var value = midpoint
    for _ in 0..<4 { value = value.nextUp }
    for _ in 0..<9 {
      if self.level(value) <= level { return value }
      value = value.nextDown
    }
    fatalError("the arithmetic encoder misses the midpoint \(midpoint)")
  }
}
