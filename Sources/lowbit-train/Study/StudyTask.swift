import LowBitOptimizers

/// The tasks that every optimizer of the study is tried on.
enum StudyTask: String, CaseIterable, Sendable {
  case charactersStable = "characters-stable"
  case charactersPlain = "characters-plain"
  case wordsStable = "words-stable"
  case wordsPlain = "words-plain"
  case digits
  case fineTuning = "fine-tuning"

  var title: String {
    switch self {
    case .charactersStable: "Character GPT, StableEmbedding"
    case .charactersPlain: "Character GPT, plain embedding"
    case .wordsStable: "20,000 words, StableEmbedding"
    case .wordsPlain: "20,000 words, plain embedding"
    case .digits: "Handwritten digits"
    case .fineTuning: "Fine-tuning of a character GPT that was trained in 32 bits"
    }
  }

  var metric: StudyMetric { self == .digits ? .validationAccuracy : .validationLoss }

  /// Long enough to end far below what guessing by frequency reaches.
  func steps(_ length: StudyLength) -> Int {
    let steps =
      switch self {
      case .charactersStable, .charactersPlain: 800
      case .wordsStable, .wordsPlain: 2000
      case .digits: 1500
      case .fineTuning: 300
      }
    return length == .full ? steps : steps / 8
  }

  /// The peak learning rate as a multiple of the optimizer's own, which is that for the character model.
  var rateFactor: Float {
    switch self {
    case .charactersStable, .charactersPlain, .digits: 1
    case .wordsStable, .wordsPlain: 2
    case .fineTuning: 0.1
    }
  }
}

/// How much time a study takes.
enum StudyLength: Sendable {
  case full
  /// An eighth of the steps: shows that everything runs, and large differences.
  case quick
}

/// What the optimizers are compared by at the end of a run.
enum StudyMetric: String, Encodable, Sendable {
  case validationLoss, validationAccuracy

  var title: String { self == .validationLoss ? "validation loss" : "validation accuracy" }

  func value(_ outcome: RunOutcome) -> Double {
    self == .validationLoss ? outcome.validationLoss : outcome.validationAccuracy ?? .nan
  }

  /// By which share `value` is worse than `reference`; negative if it is better.
  func excess(_ value: Double, over reference: Double) -> Double {
    self == .validationLoss ? value / reference - 1 : 1 - value / reference
  }
}
