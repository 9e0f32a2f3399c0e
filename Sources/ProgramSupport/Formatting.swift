import Foundation

/// A number with a fixed count of decimals.
public func fixed(_ value: Double, _ decimals: Int) -> String { String(format: "%.\(decimals)f", value) }

extension String {
  public func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }

  public func leftPadded(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}
