import LowBitOptimizers

/// An optimizer that can be named on the command line. To add one, add a line to `all`.
struct OptimizerEntry: Sendable {
  let name: String
  /// The 32-bit optimizer that follows the same rule; its own name for those.
  let fullPrecision: String
  /// What the study expects of it; nil for 32-bit optimizers, which the others are compared with.
  let bounds: StudyBounds?
  /// The learning rate at the end of the warm-up.
  let peakRate: Float
  /// Whether a run without `--optimizers` includes it.
  let isDefault: Bool
  let make: @Sendable (_ learningRate: Float) -> LowBitOptimizer

  private init(
    _ name: String, like fullPrecision: String, within bounds: StudyBounds? = nil, rate: Float, isDefault: Bool = true,
    make: @escaping @Sendable (Float) -> LowBitOptimizer
  ) {
    self.name = name
    self.fullPrecision = fullPrecision
    self.bounds = bounds
    peakRate = rate
    self.isDefault = isDefault
    self.make = make
  }

  // Within a family every width has the same learning rate: only the state differs.
  private static let adamRate: Float = 4e-3
  private static let momentumRate: Float = 0.3

  /// The rate at which a constant gradient moves parameters as far as with the usual momentum of 0.9.
  private static func momentumRate(bits: Int) -> Float {
    momentumRate * (1 - PrecisionSpecificMomentum.loose.value(bits: bits)) / (1 - 0.9)
  }

  static let all: [OptimizerEntry] = [
    OptimizerEntry("Adam32", like: "Adam32", rate: adamRate) { Adam32(learningRate: $0) },
    OptimizerEntry("Adam8bit", like: "Adam32", within: .bits8, rate: adamRate) { Adam8bit(learningRate: $0) },
    OptimizerEntry("Adam4bit", like: "Adam32", within: .bits4, rate: adamRate) { Adam4bit(learningRate: $0) },
    OptimizerEntry("Adam4-factored", like: "Adam32", within: .bits4, rate: adamRate, isDefault: false) {
      AdamMixed(firstMoment: .normalFloat4, secondMoment: .factored, learningRate: $0)
    },
    OptimizerEntry("Adam4-2bit", like: "Adam32", within: .bits4And2, rate: adamRate) {
      AdamMixed(firstMoment: .dynamic4, secondMoment: .logarithmic2, learningRate: $0)
    },
    OptimizerEntry("Adam3bit", like: "Adam32", within: .bits2, rate: adamRate, isDefault: false) {
      Adam3bit(learningRate: $0)
    },
    OptimizerEntry("Adam2bit", like: "Adam32", within: .bits2, rate: adamRate) { Adam2bit(learningRate: $0) },
    OptimizerEntry("AdamW32", like: "AdamW32", rate: adamRate, isDefault: false) { AdamW32(learningRate: $0) },
    OptimizerEntry("AdamW8bit", like: "AdamW32", within: .bits8, rate: adamRate, isDefault: false) {
      AdamW8bit(learningRate: $0)
    },
    OptimizerEntry("AdamW4bit", like: "AdamW32", within: .bits4, rate: adamRate, isDefault: false) {
      AdamW4bit(learningRate: $0)
    },
    OptimizerEntry("AdamW4-factored", like: "AdamW32", within: .bits4, rate: adamRate, isDefault: false) {
      AdamWMixed(firstMoment: .normalFloat4, secondMoment: .factored, learningRate: $0)
    },
    OptimizerEntry("AdamW4-2bit", like: "AdamW32", within: .bits4And2, rate: adamRate, isDefault: false) {
      AdamWMixed(firstMoment: .dynamic4, secondMoment: .logarithmic2, learningRate: $0)
    },
    OptimizerEntry("AdamW3bit", like: "AdamW32", within: .bits2, rate: adamRate, isDefault: false) {
      AdamW3bit(learningRate: $0)
    },
    OptimizerEntry("AdamW2bit", like: "AdamW32", within: .bits2, rate: adamRate, isDefault: false) {
      AdamW2bit(learningRate: $0)
    },
    OptimizerEntry("Momentum32", like: "Momentum32", rate: momentumRate) { Momentum32(learningRate: $0) },
    OptimizerEntry("Momentum8bit", like: "Momentum32", within: .bits8, rate: momentumRate) {
      Momentum8bit(learningRate: $0)
    },
    OptimizerEntry("Momentum4bit", like: "Momentum32", within: .bits4, rate: momentumRate, isDefault: false) {
      Momentum4bit(learningRate: $0)
    },
    OptimizerEntry("Momentum3bit", like: "Momentum32", within: .bits2, rate: momentumRate(bits: 3), isDefault: false) {
      Momentum3bit(learningRate: $0)
    },
    OptimizerEntry("Momentum2bit", like: "Momentum32", within: .bits2, rate: momentumRate(bits: 2), isDefault: false) {
      Momentum2bit(learningRate: $0)
    },
  ]

  /// Capitals do not matter: `adam8bit` finds `Adam8bit`.
  static func named(_ name: String) -> OptimizerEntry? {
    all.first { $0.name.lowercased() == name.lowercased() }
  }
}
