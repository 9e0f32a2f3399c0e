import LowBitOptimizers

/// An optimizer that all checkpoint tests, the fuzzers and the other process go through. To add one, add a line to `all`.
public struct OptimizerSubject: Sendable {
  public let name: String
  /// What checkpoints call its rule, and the formats of its moments.
  public let rule: String
  public let formats: [String]
  /// With default hyperparameters.
  public let makePlain: @Sendable () -> LowBitOptimizer
  private let makeSpecial: @Sendable (_ blockSize: Int?) -> LowBitOptimizer

  /// With hyperparameters that are not the defaults.
  ///
  /// - Parameter blockSize: nil for one that the subject chooses.
  public func make(blockSize: Int? = nil) -> LowBitOptimizer { makeSpecial(blockSize) }

  private init(
    _ name: String, _ rule: String, _ formats: [String], _ makePlain: @escaping @Sendable () -> LowBitOptimizer,
    _ makeSpecial: @escaping @Sendable (Int?) -> LowBitOptimizer
  ) {
    self.name = name
    self.rule = rule
    self.formats = formats
    self.makePlain = makePlain
    self.makeSpecial = makeSpecial
  }

  private static let float32 = ["float32", "float32"]
  private static let dynamic8 = ["dynamic8", "dynamic8Unsigned"]

  public static let all: [OptimizerSubject] = [
    .init(
      "Adam32", "adam", float32, { Adam32() },
      { Adam32(learningRate: 2e-3, weightDecay: 0.01, blockSize: $0) }),
    .init(
      "Adam8bit", "adam", dynamic8, { Adam8bit() },
      { Adam8bit(learningRate: 2e-3, beta1: 0.85, epsilon: 1e-6, blockSize: $0 ?? 320) }),
    .init(
      "AdamW32", "adamw", float32, { AdamW32() },
      { AdamW32(learningRate: 2e-3, biasCorrection: false, blockSize: $0) }),
    .init(
      "AdamW8bit", "adamw", dynamic8, { AdamW8bit() },
      { AdamW8bit(learningRate: 2e-3, blockSize: $0) }),
    .init(
      "Momentum32", "momentum", ["float32"], { Momentum32() },
      { Momentum32(learningRate: 0.1, dampening: 0.1, blockSize: $0) }),
    .init(
      "Momentum8bit", "momentum", ["dynamic8"], { Momentum8bit() },
      { Momentum8bit(learningRate: 0.1, nesterov: true, weightDecay: 1e-3, blockSize: $0) }),
  ]

  public static func named(_ name: String) -> OptimizerSubject {
    guard let subject = all.first(where: { $0.name == name }) else { fatalError("no subject is named \(name)") }
    return subject
  }
}
