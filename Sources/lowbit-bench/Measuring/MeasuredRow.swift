/// One line of results.
struct MeasuredRow: Equatable {
  var section: Section
  var name: String
  var kernels: String
  var threads: Int
  var elements: Int
  /// Median over the rounds. For stages and memory: per value.
  var nanosecondsPerParameter: Double
  /// Nil where there is no optimizer.
  var stateBytesPerParameter: Double?
  /// Bytes that must be read and written. Nil where everything stays in the cache.
  var trafficBytesPerParameter: Double?
  /// Median of the ratios of each round. Nil where there is no partner.
  var ratioToFloat32: Double?
  /// Interquartile range over median of the times.
  var spread: Double
  /// The same of the ratios. Nil for the partner itself.
  var ratioSpread: Double?
  /// What the partner took, for the chart.
  var float32Nanoseconds: Double?

  /// Traffic over time: bytes in a nanosecond are gigabytes in a second.
  var gigabytesPerSecond: Double? { trafficBytesPerParameter.map { $0 / nanosecondsPerParameter } }
}

extension MeasuredRow: Encodable {
  private enum Key: String, CodingKey {
    case section, name, kernels, threads, elements, nanosecondsPerParameter, stateBytesPerParameter
    case trafficBytesPerParameter, ratioToFloat32, spread, ratioSpread
  }

  /// Written out, so that every row has every key: scripts find null instead of nothing.
  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(section.rawValue, forKey: .section)
    try container.encode(name, forKey: .name)
    try container.encode(kernels, forKey: .kernels)
    try container.encode(threads, forKey: .threads)
    try container.encode(elements, forKey: .elements)
    try container.encode(nanosecondsPerParameter, forKey: .nanosecondsPerParameter)
    try container.encode(stateBytesPerParameter, forKey: .stateBytesPerParameter)
    try container.encode(trafficBytesPerParameter, forKey: .trafficBytesPerParameter)
    try container.encode(ratioToFloat32, forKey: .ratioToFloat32)
    try container.encode(spread, forKey: .spread)
    try container.encode(ratioSpread, forKey: .ratioSpread)
  }
}
