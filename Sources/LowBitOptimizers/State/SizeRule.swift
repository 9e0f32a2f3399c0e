/// Which parameters keep 32-bit state in a low-bit optimizer: those with fewer elements than a minimum, and embeddings.
///
/// Small tensors (biases, gains) save next to nothing and are the most sensitive. Set it before a parameter's first
/// update; the state that exists already keeps its format.
///
/// ```swift
/// optimizer.sizeRule.minimumCount = 0                       // everything in low bits
/// optimizer.sizeRule.keep32Bit("head.weight")               // but this one
/// optimizer.sizeRule.setMinimumCount(0, for: "embedding.weight")  // and an embedding table too
/// ```
public struct SizeRule: Hashable, Sendable {
  /// Tensors with at least as many elements are quantized, whatever their length.
  public var minimumCount = 4096
  private(set) var minimumCounts: [ParameterKey: Int] = [:]

  /// The rule with another general minimum.
  public init(minimumCount: Int = 4096) { self.minimumCount = minimumCount }

  /// Sets another minimum for one parameter, in place of the general one and of what its role asks for.
  public mutating func setMinimumCount(_ count: Int, for key: ParameterKey) { minimumCounts[key] = count }

  /// Keeps one parameter's state in 32 bits whatever its size.
  public mutating func keep32Bit(_ key: ParameterKey) { minimumCounts[key] = .max }

  func decision(for key: ParameterKey, count: Int, role: ParameterRole) -> FormatReason {
    if role == .embedding && minimumCounts[key] == nil { return .embedding }
    let minimum = minimumCounts[key] ?? minimumCount
    if minimumCounts[key] == .max { return .keptByRequest }
    return count < minimum ? .smallerThan(minimum) : .largeEnough
  }
}

/// Why a parameter's state has the format that it has.
public enum FormatReason: Hashable, Sendable, CustomStringConvertible {
  /// The optimizer keeps all state in 32 bits.
  case optimizerIs32Bit
  /// The size rule keeps tensors with fewer elements in 32 bits.
  case smallerThan(Int)
  /// The size rule names this parameter.
  case keptByRequest
  /// The parameter's role keeps it in 32 bits: ``ParameterRole/embedding``.
  case embedding
  /// In low bits, as asked for.
  case largeEnough

  public var description: String {
    switch self {
    case .optimizerIs32Bit: "32-bit optimizer"
    case .smallerThan(let count): "fewer than \(count) elements"
    case .keptByRequest: "kept in 32 bits by request"
    case .embedding: "embedding table"
    case .largeEnough: "low bits"
    }
  }
}
