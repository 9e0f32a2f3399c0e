/// What a call of `update` did.
///
/// ```swift
/// let summary = optimizer.update("w", &weights, along: gradient)
/// if summary.skippedBlockCount > 0 { print("w: \(summary)") }
/// ```
public struct UpdateSummary: Hashable, Sendable {
  /// Blocks that the call was to move: all of its tensors, and of an embedding table those with touched rows.
  public var blockCount = 0
  /// Blocks whose gradient held a NaN or an infinity: their parameters and state are as they were.
  public var skippedBlockCount = 0

  /// Nothing done.
  public init() {}
}

extension UpdateSummary: CustomStringConvertible {
  public var description: String {
    skippedBlockCount == 0
      ? "\(blockCount) blocks updated"
      : "\(blockCount - skippedBlockCount) blocks updated, \(skippedBlockCount) skipped for a gradient that is not finite"
  }
}

/// A gradient that holds a NaN or an infinity, as the strict form of `update` reports it.
public struct NonFiniteGradient: Error, Hashable, Sendable, CustomStringConvertible {
  /// The parameter whose gradient it is.
  public let key: ParameterKey
  /// The first element that is not finite.
  public let index: Int
  /// "nan", "inf" or "-inf".
  public let value: String

  public var description: String { "\(key): the gradient at \(index) is \(value)" }
}
