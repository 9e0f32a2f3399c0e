import LowBitOptimizers

/// An optimizer to measure.
struct Subject: Sendable {
  let name: String
  /// The optimizer of the same family with float32 state, that the times are compared with.
  let partner: String
  /// What the optimizer is told of the tensor's shape.
  var shape = Shape.vector
  let make: @Sendable () -> LowBitOptimizer

  enum Shape {
    case vector
    /// As square as the number of elements allows.
    case matrix
  }

  /// So small that the parameters stay what they are however many steps are measured.
  private static let learningRate: Float = 1e-9

  /// Every optimizer and format; a new one is added here. Each partner comes before those that are compared with it.
  static let all = [
    Subject(name: "Adam32", partner: "Adam32") { Adam32(learningRate: learningRate) },
    Subject(name: "Adam8bit", partner: "Adam32") { Adam8bit(learningRate: learningRate) },
    Subject(name: "Adam4bit", partner: "Adam32") { Adam4bit(learningRate: learningRate) },
    Subject(name: "Adam4bit matrix", partner: "Adam32", shape: .matrix) { Adam4bit(learningRate: learningRate) },
    Subject(name: "Adam4bit factored", partner: "Adam32", shape: .matrix) {
      AdamMixed(firstMoment: .normalFloat4, secondMoment: .factored, learningRate: learningRate)
    },
    Subject(name: "Adam4-2bit", partner: "Adam32") {
      AdamMixed(firstMoment: .dynamic4, secondMoment: .logarithmic2, learningRate: learningRate)
    },
    Subject(name: "Adam3bit", partner: "Adam32") { Adam3bit(learningRate: learningRate) },
    Subject(name: "Adam2bit", partner: "Adam32") { Adam2bit(learningRate: learningRate) },
    Subject(name: "AdamW32", partner: "AdamW32") { AdamW32(learningRate: learningRate) },
    Subject(name: "AdamW8bit", partner: "AdamW32") { AdamW8bit(learningRate: learningRate) },
    Subject(name: "AdamW4bit", partner: "AdamW32") { AdamW4bit(learningRate: learningRate) },
    Subject(name: "AdamW4-2bit", partner: "AdamW32") {
      AdamWMixed(firstMoment: .dynamic4, secondMoment: .logarithmic2, learningRate: learningRate)
    },
    Subject(name: "AdamW3bit", partner: "AdamW32") { AdamW3bit(learningRate: learningRate) },
    Subject(name: "AdamW2bit", partner: "AdamW32") { AdamW2bit(learningRate: learningRate) },
    Subject(name: "Momentum32", partner: "Momentum32") { Momentum32(learningRate: learningRate) },
    Subject(name: "Momentum8bit", partner: "Momentum32") { Momentum8bit(learningRate: learningRate) },
    Subject(name: "Momentum4bit", partner: "Momentum32") { Momentum4bit(learningRate: learningRate) },
    Subject(name: "Momentum3bit", partner: "Momentum32") { Momentum3bit(learningRate: learningRate) },
    Subject(name: "Momentum2bit", partner: "Momentum32") { Momentum2bit(learningRate: learningRate) },
  ]

  /// Most state that one family keeps at the same time, per parameter.
  static let mostStateBytesPerParameter = 16

  var isPartner: Bool { name == partner }
}

/// The optimizers that share a rule. They are measured in turns, the float32 one first.
struct Family {
  let subjects: [Subject]
  /// Those that are shown; the partner may only be there for the ratio.
  let shown: Set<String>

  var partner: Subject { subjects[0] }

  /// The families of all subjects that `isShown` holds for, each with its partner.
  static func families(of subjects: [Subject] = Subject.all, where isShown: (Subject) -> Bool) -> [Family] {
    subjects.filter(\.isPartner).compactMap { partner in
      let members = subjects.filter { $0.partner == partner.name }
      let shown = members.filter(isShown)
      guard !shown.isEmpty else { return nil }
      let others = shown.filter { !$0.isPartner }
      return Family(subjects: [partner] + others, shown: Set(shown.map(\.name)))
    }
  }
}
