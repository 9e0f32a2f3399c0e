/// A curve in a few characters.
struct Sparkline {
  let characters: [Character]

  init(unicode: Bool) { characters = Array(unicode ? "▁▂▃▄▅▆▇█" : ".:-=+*#%") }

  /// Each column shows the mean of its share of `values`, between the two ends of `range`.
  ///
  /// Give all curves of a table the same range, so that equal heights mean equal values.
  func draw(_ values: [Double], columns: Int = 10, range: ClosedRange<Double>) -> String {
    let extent = range.upperBound - range.lowerBound
    return String(
      averages(values, columns: columns).map { value in
        guard value.isFinite else { return "?" }
        let share = extent > 0 ? (value - range.lowerBound) / extent : 0
        return characters[min(characters.count - 1, max(0, Int(share * Double(characters.count))))]
      })
  }
}

/// The means of `columns` equal shares of `values`; fewer when there are fewer values.
func averages(_ values: [Double], columns: Int) -> [Double] {
  let columns = min(columns, values.count)
  return (0..<columns).map { column in
    let share = values[values.count * column / columns..<values.count * (column + 1) / columns]
    return share.reduce(0, +) / Double(share.count)
  }
}

/// The smallest range that holds all finite averages of all curves.
func commonRange(_ curves: [[Double]], columns: Int = 10) -> ClosedRange<Double> {
  let all = curves.flatMap { averages($0, columns: columns) }.filter(\.isFinite)
  guard let low = all.min(), let high = all.max() else { return 0...1 }
  return low...high
}
