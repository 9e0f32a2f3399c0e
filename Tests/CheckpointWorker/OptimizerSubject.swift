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

  /// With hyperparameters that are not the defaults; and with a seed, for formats that round stochastically.
  ///
  /// - Parameter blockSize: nil for one that the subject chooses. A multiple of 8 serves codes of any width.
  public func make(blockSize: Int? = nil) -> LowBitOptimizer {
    let optimizer = makeSpecial(blockSize)
    if formats.contains(where: { $0.hasPrefix("logarithmic") }) { optimizer.seed = .max - 20_261_121 }
    return optimizer
  }

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

  /// An Adam or AdamW of formats that no class is named after.
  private init(_ rule: String, _ first: FirstMomentFormat, _ second: SecondMomentFormat, _ formats: [String]) {
    self.init(
      "\(rule) of \(formats[0]) and \(formats[1])", rule, formats,
      { Self.mixed(rule, first, second, blockSize: nil) }, { Self.mixed(rule, first, second, blockSize: $0 ?? 192) })
  }

  private static func mixed(
    _ rule: String, _ first: FirstMomentFormat, _ second: SecondMomentFormat, blockSize: Int?
  ) -> LowBitOptimizer {
    rule == "adam"
      ? AdamMixed(firstMoment: first, secondMoment: second, learningRate: 3e-3, beta2: 0.99, blockSize: blockSize)
      : AdamWMixed(firstMoment: first, secondMoment: second, learningRate: 3e-3, beta1: 0.7, blockSize: blockSize)
  }

  private static let float32 = ["float32", "float32"]
  private static let dynamic8 = ["dynamic8", "dynamic8Unsigned"]
  private static let normalFloat4 = ["normalFloat4", "linear4Unsigned-rankOne"]
  private static let dynamic3 = ["dynamic3", "logarithmic3"]
  private static let dynamic2 = ["dynamic2", "logarithmic2"]

  public static let all = adams + momentums + mixtures

  private static let adams: [OptimizerSubject] = [
    .init("Adam32", "adam", float32, { Adam32() }, { Adam32(learningRate: 2e-3, weightDecay: 0.01, blockSize: $0) }),
    .init(
      "Adam8bit", "adam", dynamic8, { Adam8bit() },
      { Adam8bit(learningRate: 2e-3, beta1: 0.85, epsilon: 1e-6, blockSize: $0 ?? 320) }),
    .init(
      "Adam4bit", "adam", normalFloat4, { Adam4bit() }, { Adam4bit(learningRate: 2e-3, beta1: 0.8, blockSize: $0) }),
    .init("Adam3bit", "adam", dynamic3, { Adam3bit() }, { Adam3bit(learningRate: 2e-3, blockSize: $0 ?? 320) }),
    .init("Adam2bit", "adam", dynamic2, { Adam2bit() }, { Adam2bit(learningRate: 2e-3, beta1: 0.6, blockSize: $0) }),
    .init(
      "AdamW32", "adamw", float32, { AdamW32() }, { AdamW32(learningRate: 2e-3, biasCorrection: false, blockSize: $0) }),
    .init("AdamW8bit", "adamw", dynamic8, { AdamW8bit() }, { AdamW8bit(learningRate: 2e-3, blockSize: $0) }),
    .init("AdamW4bit", "adamw", normalFloat4, { AdamW4bit() }, { AdamW4bit(learningRate: 2e-3, blockSize: $0 ?? 64) }),
    .init(
      "AdamW3bit", "adamw", dynamic3, { AdamW3bit() }, { AdamW3bit(learningRate: 2e-3, beta2: 0.99, blockSize: $0) }),
    .init("AdamW2bit", "adamw", dynamic2, { AdamW2bit() }, { AdamW2bit(learningRate: 2e-3, blockSize: $0 ?? 512) }),
  ]

  private static let momentums: [OptimizerSubject] = [
    .init(
      "Momentum32", "momentum", ["float32"], { Momentum32() },
      { Momentum32(learningRate: 0.1, dampening: 0.1, blockSize: $0) }),
    .init(
      "Momentum8bit", "momentum", ["dynamic8"], { Momentum8bit() },
      { Momentum8bit(learningRate: 0.1, nesterov: true, weightDecay: 1e-3, blockSize: $0) }),
    .init(
      "Momentum4bit", "momentum", ["dynamic4"], { Momentum4bit() },
      { Momentum4bit(learningRate: 0.1, momentum: 0.8, blockSize: $0) }),
    .init(
      "Momentum3bit", "momentum", ["dynamic3"], { Momentum3bit() },
      { Momentum3bit(learningRate: 0.1, nesterov: true, blockSize: $0) }),
    .init(
      "Momentum2bit", "momentum", ["dynamic2"], { Momentum2bit() },
      { Momentum2bit(learningRate: 0.1, weightDecay: 1e-3, blockSize: $0 ?? 320) }),
  ]

  private static let mixtures: [OptimizerSubject] = [
    .init("adam", .dynamic4, .logarithmic2, ["dynamic4", "logarithmic2"]),
    .init(
      "adam", .dynamic8, .logarithmic(bits: 4, quantile: .exact(0.25)), ["dynamic8", "logarithmic4-quantile0.25"]),
    .init("adam", .dynamic3.scaled(by: .signedExtreme), .logarithmic4, ["dynamic3-signedExtreme", "logarithmic4"]),
    .init("adam", .dynamic4.perRowAndColumn, .linear4PerBlock, ["dynamic4-rankOne", "linear4Unsigned"]),
    .init("adam", .dynamic4.perRowAndColumn, .linear4, ["dynamic4-rankOne", "linear4Unsigned-rankOne"]),
    .init(
      "adamw", .float32, .logarithmic(bits: 3, quantile: .exact(1e-5)), ["float32", "logarithmic3-quantile1e-05"]),
    .init(
      "adamw", .dynamic2.scaled(by: .signedExtreme), .linear4, ["dynamic2-signedExtreme", "linear4Unsigned-rankOne"]),
    .init("adamw", .dynamic4.scaled(by: .signedExtreme), .dynamic8, ["dynamic4-signedExtreme", "dynamic8Unsigned"]),
    .init("adam", .normalFloat4, .factored, ["normalFloat4", "factored"]),
    .init("adamw", .float32, .factored, ["float32", "factored"]),
    .init("adamw", .dynamic4.perRowAndColumn, .factored, ["dynamic4-rankOne", "factored"]),
  ]

  public static func named(_ name: String) -> OptimizerSubject {
    guard let subject = all.first(where: { $0.name == name }) else { fatalError("no subject is named \(name)") }
    return subject
  }
}
