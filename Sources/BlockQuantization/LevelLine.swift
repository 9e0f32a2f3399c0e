/// One piece of an arithmetic encoder: level = base − cell, cell = trunc(magnitude · slope + offset) in float32 with one
/// rounding (no update rule fuses its arithmetic, but here it is the thresholds that are defined). The slope is negative, so
/// that a decade's last level is its cell 0, which rounding towards zero makes twice as wide as the others. Cells end at −1.
struct LevelLine {
  var slope, offset: Float
  /// The level of cell 0.
  var base: Int

  func level(_ magnitude: Float) -> Int {
    let position = offset.addingProduct(magnitude, slope)
    return base - (position > -1 ? Int(position) : -1)
  }

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

extension LevelLine {
  /// A line whose level is `base − 1` up to a threshold, from zero on, and `base` from its successor to twice the threshold.
  init(threshold: Float, base: Int) {
    for offset in stride(from: Float(1.5), to: 2, by: 1 / 64) {
      let slope = (1 - offset) / threshold
      for candidate in [slope, slope.nextUp, slope.nextDown] {
        self.init(slope: candidate, offset: offset, base: base)
        if level(threshold) == base - 1 && level(threshold.nextUp) == base { return }
      }
    }
    fatalError("no line changes its level at \(threshold)")
  }
}
