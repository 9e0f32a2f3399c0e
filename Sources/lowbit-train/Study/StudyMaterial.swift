import Foundation
import LowBitOptimizers
import ProgramSupport

/// The data of all tasks, loaded once and shared by all runs.
struct StudyMaterial: Sendable {
  let text: TrainingText
  let fineTuning: FineTuningTexts
  let corpus: ZipfCorpus
  /// Nil when no file was named; the task is left out then.
  let digits: DigitImages?
  let characterSizes: CharacterModelSizes
  let wordSizes: WordModelSizes

  /// The usual sizes: every weight matrix has at least the 4,096 elements from which on state is kept in low bits.
  init(text: TrainingText, digits: DigitImages?) {
    self.init(
      text: text, digits: digits,
      characterSizes: CharacterModelSizes(vocabulary: text.vocabulary.count, blocks: 1),
      wordSizes: WordModelSizes(), words: 1_000_000)
  }

  init(
    text: TrainingText, digits: DigitImages?, characterSizes: CharacterModelSizes, wordSizes: WordModelSizes, words: Int
  ) {
    self.text = text
    self.digits = digits
    self.characterSizes = characterSizes
    self.wordSizes = wordSizes
    fineTuning = FineTuningTexts(text)
    corpus = ZipfCorpus(
      vocabulary: wordSizes.vocabulary, classes: wordSizes.classes, training: words, validation: words / 10, seed: 1)
  }

  /// A new model with the start values of `seed`.
  ///
  /// - Parameter start: the values to fine-tune; needed for that task only.
  func task(_ task: StudyTask, seed: UInt64, start: [Float] = []) -> any LearningTask {
    switch task {
    case .charactersStable: return characters(text, .stable, seed: seed)
    case .charactersPlain: return characters(text, .plain, seed: seed)
    case .wordsStable: return words(.stable, seed: seed)
    case .wordsPlain: return words(.plain, seed: seed)
    case .digits: return DigitTask(digits!, seed: seed)
    case .fineTuning:
      let task = characters(fineTuning.after, .plain, seed: seed)
      task.parameters.values.update(from: start, count: task.parameters.layout.capacity)
      return task
    }
  }

  func words(_ embedding: TokenEmbedding, seed: UInt64) -> WordTask {
    WordTask(corpus, sizes: wordSizes, embedding: embedding, seed: seed)
  }

  /// One shard and one thread: a study runs whole trainings side by side.
  func characters(_ text: TrainingText, _ embedding: TokenEmbedding, seed: UInt64) -> CharacterTask {
    CharacterTask(text, sizes: characterSizes, embedding: embedding, seed: seed, shards: 1, threads: 1)
  }

  /// The loss of knowing how often each answer occurs and nothing else.
  func guessingLoss(_ task: StudyTask) -> Double {
    switch task {
    case .charactersStable, .charactersPlain: unigramEntropy(text.validation)
    case .wordsStable, .wordsPlain: unigramEntropy(corpus.validation.map { corpus.classes[Int($0)] })
    case .digits: unigramEntropy(digits!.validation.map(\.digit))
    case .fineTuning: unigramEntropy(fineTuning.after.validation)
    }
  }

  /// Changes with the data, so that results for other data are not taken for these.
  func fingerprint(_ task: StudyTask) -> String {
    var hash = FowlerNollVo()
    switch task {
    case .charactersStable, .charactersPlain, .fineTuning:
      for part in [text.training, text.validation] { part.withUnsafeBytes { hash.add($0) } }
      return "\(characterSizes) \(hash)"
    case .wordsStable, .wordsPlain:
      for part in [corpus.classes, corpus.training, corpus.validation] { part.withUnsafeBytes { hash.add($0) } }
      return "\(wordSizes) \(hash)"
    case .digits:
      for image in digits!.training + digits!.validation {
        image.pixels.withUnsafeBytes { hash.add($0) }
        withUnsafeBytes(of: image.digit) { hash.add($0) }
      }
      return "\(hash)"
    }
  }
}

/// The FNV-1a hash, which is the same in every run of the program, unlike Swift's own.
struct FowlerNollVo: CustomStringConvertible {
  private var hash: UInt64 = 0xcbf2_9ce4_8422_2325

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
  }

  var description: String { String(hash, radix: 16) }
}
