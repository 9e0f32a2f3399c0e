/// What a parameter is in its model, where that decides how its state is kept.
///
/// ```swift
/// let update = TensorUpdate("token.embedding", table, along: gradient, role: .embedding)
/// ```
public enum ParameterRole: Hashable, Sendable {
  /// Anything but the following: the state's format depends on the size alone.
  case weight
  /// A table of which a step touches few rows. Token frequencies differ by orders of magnitude, and with them the moments
  /// of rows that would share a scale; so its state stays in 32 bits unless ``SizeRule/setMinimumCount(_:for:)`` names
  /// its key ("8-bit Optimizers via Block-wise Quantization", Dettmers et al., section 2.3).
  case embedding
}
