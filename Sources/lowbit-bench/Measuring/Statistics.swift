/// Repeated measurements of one thing.
struct Sample: Equatable {
  private let sorted: [Double]

  /// - Precondition: there is at least one value.
  init(_ values: [Double]) {
    precondition(!values.isEmpty)
    sorted = values.sorted()
  }

  /// Unlike the mean, it does not move when a few rounds are disturbed.
  var median: Double { quantile(0.5) }

  /// The interquartile range over the median: how far apart the middle half of the values lies.
  var spread: Double { (quantile(0.75) - quantile(0.25)) / median }

  /// The value that a share of all values lies below, on the line between its two neighbours.
  func quantile(_ share: Double) -> Double {
    let position = share * Double(sorted.count - 1)
    let index = min(Int(position), sorted.count - 1)
    let next = min(index + 1, sorted.count - 1)
    return sorted[index] + (position - Double(index)) * (sorted[next] - sorted[index])
  }
}
