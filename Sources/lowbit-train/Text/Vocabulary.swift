import Foundation

/// The characters that a model knows, each with a small number.
struct Vocabulary: Equatable, Sendable {
  /// Known characters, the most common first; equally common ones in the order of their code points.
  let characters: [Unicode.Scalar]
  /// Whether everything else shares one more number.
  let hasOther: Bool
  private let numbers: [Unicode.Scalar: Int32]

  var count: Int { characters.count + (hasOther ? 1 : 0) }

  /// Keeps the `limit` most common characters of `text`; if there are more, the rest become one "other" symbol.
  init(of text: String, limit: Int = 127) {
    var counts: [Unicode.Scalar: Int] = [:]
    for scalar in text.unicodeScalars { counts[scalar, default: 0] += 1 }
    let sorted = counts.keys.sorted { (counts[$0]!, $1.value) > (counts[$1]!, $0.value) }
    // A lone extra character needs no shared symbol: it can have the number to itself.
    hasOther = sorted.count > limit + 1
    characters = Array(hasOther ? sorted.prefix(limit) : sorted[...])
    numbers = Dictionary(uniqueKeysWithValues: characters.enumerated().map { ($1, Int32($0)) })
  }

  func encode(_ text: String) -> [Int32] {
    let other = Int32(max(0, count - 1))
    return text.unicodeScalars.map { numbers[$0] ?? other }
  }
}

/// The loss of a guesser that knows how often each symbol occurs but reads nothing: what learning must beat.
func unigramEntropy(_ symbols: [Int32]) -> Double {
  var counts: [Int32: Int] = [:]
  for symbol in symbols { counts[symbol, default: 0] += 1 }
  return counts.values.sorted().reduce(0) { sum, count in
    let share = Double(count) / Double(symbols.count)
    return sum - share * log(share)
  }
}
