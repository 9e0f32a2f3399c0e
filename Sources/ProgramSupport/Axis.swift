import Foundation

/// A scale with round numbers on it.
public struct Axis {
  public let low: Double
  public let high: Double
  public let ticks: [Double]
  private let step: Double

  /// Spans `values`, widened to whole steps of 1, 2 or 5 times a power of ten.
  public init(_ values: [Double]) {
    let least = values.min() ?? 0
    let most = max(values.max() ?? 1, least + 1e-3)
    let rough = (most - least) / 6
    let power = pow(10, floor(log10(rough)))
    let step = power * ([1, 2, 5].first { $0 * power >= rough } ?? 10)
    let first = Int(floor(least / step))
    let last = Int(ceil(most / step))
    self.step = step
    ticks = (first...last).map { Double($0) * step }
    low = ticks[0]
    high = ticks[ticks.count - 1]
  }

  /// Where `value` lies between the ends, from 0 to 1.
  public func share(_ value: Double) -> Double { (value - low) / (high - low) }

  /// With as many decimals as the steps need.
  public func label(_ tick: Double) -> String { fixed(tick, max(0, -Int(floor(log10(step) + 1e-9)))) }
}
