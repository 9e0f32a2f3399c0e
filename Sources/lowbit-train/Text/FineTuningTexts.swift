/// A text cut in two for fine-tuning: a model learns the first half as it is, and then the second half in another manner,
/// in small letters and without punctuation, as a transcript of speech would have it.
struct FineTuningTexts: Sendable {
  let before: TrainingText
  let after: TrainingText

  init(_ text: TrainingText) {
    func half(_ symbols: [Int32], _ index: Int) -> [Int32] {
      let middle = symbols.count / 2
      return Array(index == 0 ? symbols[..<middle] : symbols[middle...])
    }
    let transcript = Transcript(text.vocabulary)
    before = TrainingText(
      title: "\(text.title), first half", vocabulary: text.vocabulary, training: half(text.training, 0),
      validation: half(text.validation, 0))
    after = TrainingText(
      title: "\(text.title), second half as a transcript", vocabulary: text.vocabulary,
      training: transcript.symbols(half(text.training, 1)), validation: transcript.symbols(half(text.validation, 1)))
  }
}

/// What becomes of each symbol in a transcript: its small letter, itself, or nothing.
private struct Transcript {
  private let changes: [Int32?]

  init(_ vocabulary: Vocabulary) {
    let numbers = Dictionary(
      uniqueKeysWithValues: vocabulary.characters.enumerated().map { ($1, Int32($0)) })
    let known = vocabulary.characters.enumerated().map { index, character -> Int32? in
      let properties = character.properties
      if properties.isWhitespace { return Int32(index) }
      guard properties.isAlphabetic || properties.numericType != nil else { return nil }
      let small = properties.lowercaseMapping.unicodeScalars
      return small.count == 1 ? numbers[small.first!] ?? Int32(index) : Int32(index)
    }
    changes = vocabulary.hasOther ? known + [nil] : known
  }

  func symbols(_ symbols: [Int32]) -> [Int32] { symbols.compactMap { changes[Int($0)] } }
}
