/// Why ``StableEmbedding/forward(_:)`` refused its input.
public enum StableEmbeddingError: Error, Hashable, Sendable {
  /// The id at `position` is negative or not below the size of the vocabulary.
  case idOutOfRange(id: Int, position: Int, vocabularySize: Int)
}

extension StableEmbeddingError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .idOutOfRange(let id, let position, let vocabularySize):
      "token id \(id) at position \(position) is not in 0..<\(vocabularySize)"
    }
  }
}
