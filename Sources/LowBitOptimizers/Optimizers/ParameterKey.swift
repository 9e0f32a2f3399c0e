/// A parameter's stable name: "layer1.weight", or a position (0, 1, 2 …).
///
/// The optimizer keeps its state under this name, so it must stay the same from step to step, and a checkpoint finds it
/// again whatever the order of the calls.
///
/// ```swift
/// optimizer.update("layer\(index).weight", &weights, along: gradient)
/// ```
public struct ParameterKey: Hashable, Sendable {
  /// The name as text; "0", "1" … for positions.
  public let name: String

  /// A parameter known by its name.
  public init(_ name: String) { self.name = name }

  /// A parameter known by its position in the program's list.
  public init(_ position: Int) { name = String(position) }
}

extension ParameterKey: ExpressibleByStringInterpolation {
  public init(stringLiteral name: String) { self.init(name) }
}

extension ParameterKey: ExpressibleByIntegerLiteral {
  public init(integerLiteral position: Int) { self.init(position) }
}

extension ParameterKey: Comparable {
  public static func < (a: ParameterKey, b: ParameterKey) -> Bool { a.name < b.name }
}

extension ParameterKey: CustomStringConvertible {
  public var description: String { name }
}
