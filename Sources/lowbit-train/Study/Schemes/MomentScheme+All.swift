import LowBitOptimizers

extension MomentScheme {
  /// Adam in 32 bits, which all others are compared with.
  static let reference = fullPrecision("Adam32", "Adam32", rateFactor: 1)

  static let all = [reference] + otherRates + firstMoments + secondMoments + combinations + momenta

  // MARK: - 32 bits

  /// What another learning rate does: a moment that is systematically kept too small or too large does the same.
  private static let otherRates = [Float(0.8), 1.25].map {
    fullPrecision("Adam32.rate-\($0)", "rate × \($0)", rateFactor: $0)
  }

  private static func fullPrecision(_ name: String, _ title: String, rateFactor: Float) -> MomentScheme {
    MomentScheme(name: name, title: title, group: .fullPrecision, rateFactor: rateFactor) { _ in
      AdamSetting().configured(Adam32.init)
    }
  }

  // MARK: - 4 bits

  private static let firstMoments = [
    package("dynamic4", "dynamic4 (default)", .firstMoment, .dynamic4, .linear4),
    package("dynamic4-signedExtreme", "dynamic4, signed extreme", .firstMoment, signedDynamic4, .linear4),
    package("dynamic4-rankOne", "dynamic4, row and column", .firstMoment, .dynamic4.perRowAndColumn, .linear4),
    package("nf4", "NF4", .firstMoment, .normalFloat4, .linear4),
    package("nf4-rankOne", "NF4, row and column", .firstMoment, .normalFloat4.perRowAndColumn, .linear4),
    package("float32-first", "32 bits", .firstMoment, .float32, .linear4),
  ]

  private static let secondMoments = [
    package("linear4PerBlock", "linear4 per block", .secondMoment, .dynamic4, .linear4PerBlock),
    simulated("dynamic-noZero", "dynamic, no zero", .secondMoment, second: { _ in .dynamicNoZero(.blocks(128)) }),
    simulated(
      "dynamic-noZero-rankOne", "dynamic, row and column", .secondMoment,
      second: { _ in .dynamicNoZero(.rowsAndColumns) }),
    simulated("dynamic-noZero-16", "dynamic, 16 levels", .secondMoment, second: { _ in .dynamicNoZero16 }),
    simulated("ze-eden", "ZE-EDEN", .secondMoment, second: { _ in .zeroExcludedEDEN }),
    simulated("zip-sr", "ZIP-SR", .secondMoment, second: { .zeroInPreconditioner(seed: $0) }),
    simulated("factored", "row and column means", .secondMoment, second: { _ in FactoredRounding() }),
    package("factored-step", "row and column means, in the step", .secondMoment, .dynamic4, .factored),
    package("logarithmic4", "logarithmic4", .secondMoment, .dynamic4, .logarithmic4),
    package("float32-second", "32 bits", .secondMoment, .dynamic4, .float32),
  ]

  private static let combinations = [
    simulated(
      "nf4+dynamic-noZero", "NF4; dynamic, no zero", first: .normal, second: { _ in .dynamicNoZero(.blocks(128)) }),
    simulated("nf4+dynamic-noZero-16", "NF4; dynamic, 16 levels", first: .normal, second: { _ in .dynamicNoZero16 }),
    simulated("nf4+ze-eden", "NF4; ZE-EDEN", first: .normal, second: { _ in .zeroExcludedEDEN }),
    simulated("nf4+factored", "NF4; row and column means", first: .normal, second: { _ in FactoredRounding() }),
    package("nf4+factored-step", "NF4; row and column means, in the step", .combined, .normalFloat4, .factored),
  ]

  private static let signedDynamic4 = FirstMomentFormat.dynamic4.scaled(by: .signedExtreme)

  // MARK: - Fewer bits

  /// 3 and 2 bits with both rules for the scale, and 4 bits with the usual one, with three values of β1; and 32 bits with
  /// one of them: what a lower β1 does by itself must not be taken for what it does to rounding errors.
  private static let momenta: [MomentScheme] = {
    let formats: [(FirstMomentFormat, SecondMomentFormat, [ScaleRule])] = [
      (.dynamic4, .logarithmic2, [.absmax]), (.dynamic3, .logarithmic3, [.absmax, .signedExtreme]),
      (.dynamic2, .logarithmic2, [.absmax, .signedExtreme]),
    ]
    return formats.flatMap { first, second, rules in
      let bits = first.bits
      let loose = PrecisionSpecificMomentum.loose.value(bits: bits)
      let lowBit = rules.flatMap { rule in
        [0.9, loose, PrecisionSpecificMomentum.strict.value(bits: bits)].map { beta1 in
          package(
            "dynamic\(bits)-\(rule.rawValue)+logarithmic\(second.bits).beta1-\(beta1)",
            "\(bits) and \(second.bits) bits, \(rule == .absmax ? "absmax" : "signed extreme"), β1 \(beta1)", .momentum,
            first.scaled(by: rule), second, beta1: beta1)
        }
      }
      return lowBit + [
        package("float32.beta1-\(loose)", "32 bits, β1 \(loose)", .momentum, .float32, .float32, beta1: loose)
      ]
    }
  }()

  // MARK: - Making them

  private static func package(
    _ name: String, _ title: String, _ group: Group, _ first: FirstMomentFormat, _ second: SecondMomentFormat,
    beta1: Float = 0.9
  ) -> MomentScheme {
    MomentScheme(name: name, title: title, group: group, beta1: beta1) { _ in
      let optimizer = AdamMixed(firstMoment: first, secondMoment: second, beta1: beta1)
      optimizer.threadCount = 1
      return optimizer
    }
  }

  private static func simulated(
    _ name: String, _ title: String, _ group: Group = .combined, first: FirstRounding = .dynamic,
    second: @escaping @Sendable (_ seed: UInt64) -> some MomentRounding
  ) -> MomentScheme {
    MomentScheme(name: name, title: title, group: group) { seed in
      SimulatedAdam(AdamSetting(), first: first.rounding, second: second(seed))
    }
  }

  /// The first moments beside simulated second ones.
  private enum FirstRounding {
    case dynamic, normal

    var rounding: TableRounding { TableRounding(self == .dynamic ? .dynamic4 : .normalFloat4, scope: .blocks(128)) }
  }
}
