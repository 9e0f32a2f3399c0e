import XCTest

@testable import LowBitOptimizers

final class HyperparameterTests: XCTestCase {
  private func afterThreeSteps(_ optimizer: LowBitOptimizer) -> [Float] {
    optimizer.sizeRule.minimumCount = 0
    var parameter: [Float] = [1, -2, 0.5]
    for step in 1...3 { optimizer.update("p", &parameter, along: [0.3, -0.1 * Float(step), 1e-3]) }
    return parameter
  }

  /// No option is accepted and ignored.
  func testEveryOptionChangesTheResult() {
    let adam = afterThreeSteps(Adam8bit())
    let adams = [
      Adam8bit(learningRate: 2e-3), Adam8bit(beta1: 0.8), Adam8bit(beta2: 0.9), Adam8bit(epsilon: 1e-3),
      Adam8bit(weightDecay: 0.1), Adam8bit(biasCorrection: false),
    ]
    for other in adams { XCTAssertNotEqual(afterThreeSteps(other), adam) }
    let momentum = afterThreeSteps(Momentum8bit())
    let momentums = [
      Momentum8bit(learningRate: 0.1), Momentum8bit(momentum: 0.5), Momentum8bit(dampening: 0.5),
      Momentum8bit(nesterov: true), Momentum8bit(weightDecay: 0.1),
    ]
    for other in momentums { XCTAssertNotEqual(afterThreeSteps(other), momentum) }
    XCTAssertNotEqual(afterThreeSteps(AdamW8bit()), afterThreeSteps(AdamW8bit(weightDecay: 0)))
    XCTAssertNotEqual(afterThreeSteps(AdamW8bit(weightDecay: 0.1)), afterThreeSteps(Adam8bit(weightDecay: 0.1)))
    XCTAssertEqual(afterThreeSteps(AdamW8bit(weightDecay: 0)), adam)
  }

  func testDefaults() {
    XCTAssertEqual(
      afterThreeSteps(Adam8bit()),
      afterThreeSteps(
        Adam8bit(
          learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, biasCorrection: true,
          blockSize: 256)))
    XCTAssertEqual(afterThreeSteps(AdamW32()), afterThreeSteps(AdamW32(learningRate: 1e-3, weightDecay: 0.01)))
    XCTAssertEqual(
      afterThreeSteps(Momentum32()),
      afterThreeSteps(
        Momentum32(learningRate: 1e-2, momentum: 0.9, dampening: 0, nesterov: false, weightDecay: 0)))
  }

  /// The published values for 0.9, for each number of bits; what the program passes is obeyed.
  func testTheMomentumFitsThePrecision() throws {
    func beta1(_ optimizer: AdamOptimizer) -> Double? { (optimizer.rule as? AdamRule)?.beta1 }
    func momentum(_ optimizer: MomentumOptimizer) -> Double? { (optimizer.rule as? MomentumRule)?.momentum }
    for (optimizer, expected) in [
      (Adam32(), 0.9), (Adam8bit(), 0.9), (Adam4bit(), 0.9), (Adam3bit(), 0.694), (Adam2bit(), 0.527), (AdamW32(), 0.9),
      (AdamW8bit(), 0.9), (AdamW4bit(), 0.9), (AdamW3bit(), 0.694), (AdamW2bit(), 0.527),
      (AdamMixed(firstMoment: .dynamic4, secondMoment: .logarithmic2), 0.82),
      (AdamWMixed(firstMoment: .dynamic4, secondMoment: .linear4), 0.9),
      (AdamMixed(firstMoment: .dynamic8, secondMoment: .logarithmic4), 0.9),
      (AdamWMixed(firstMoment: .dynamic3, secondMoment: .dynamic8), 0.694),
      (AdamMixed(firstMoment: .dynamic2, secondMoment: .float32), 0.527),
      (AdamMixed(firstMoment: .float32, secondMoment: .logarithmic2), 0.9),
    ] as [(AdamOptimizer, Double)] {
      XCTAssertEqual(beta1(optimizer), expected, "\(optimizer.formats.line)")
    }
    for (optimizer, expected) in [
      (Momentum32(), 0.9), (Momentum8bit(), 0.9), (Momentum4bit(), 0.9), (Momentum3bit(), 0.694),
      (Momentum2bit(), 0.527),
    ] as [(MomentumOptimizer, Double)] {
      XCTAssertEqual(momentum(optimizer), expected)
    }
    for value in [Float(0), 0.5, 0.9, 0.95] {
      let expected = Double("\(value)")
      let optimizers = [
        Adam3bit(beta1: value), AdamW2bit(beta1: value),
        AdamMixed(firstMoment: .dynamic4, secondMoment: .logarithmic2, beta1: value),
        AdamWMixed(firstMoment: .dynamic2, secondMoment: .logarithmic2, beta1: value),
      ]
      for optimizer in optimizers { XCTAssertEqual(beta1(optimizer), expected) }
      for optimizer in [Momentum3bit(momentum: value), Momentum2bit(momentum: value)] {
        XCTAssertEqual(momentum(optimizer), expected)
      }
    }
  }

  func testTheTableOfMomentums() {
    for (bits, strict, loose) in [(4, 0.350, 0.820), (3, 0.211, 0.694), (2, 0.116, 0.527)] as [(Int, Float, Float)] {
      XCTAssertEqual(PrecisionSpecificMomentum.strict.value(bits: bits), strict)
      XCTAssertEqual(PrecisionSpecificMomentum.loose.value(bits: bits), loose)
      // β / (1 − β) falls by the same factor for others than 0.9.
      for momentum in [Float(0.5), 0.95, 0.99] {
        let value = PrecisionSpecificMomentum.loose.value(bits: bits, insteadOf: momentum)
        XCTAssertEqual(
          value / (1 - value) / (momentum / (1 - momentum)), loose / (1 - loose) / 9, accuracy: 1e-4)
      }
      XCTAssertEqual(PrecisionSpecificMomentum.loose.value(bits: bits, insteadOf: 0), 0)
    }
    for bits in [8, 32] { XCTAssertEqual(PrecisionSpecificMomentum.strict.value(bits: bits), 0.9) }
  }

  /// 0.999 means 0.999, as it does in frameworks with Double hyperparameters.
  func testCoefficientsAreReadAsDecimals() {
    guard case .adam(let constants) = Adam32().rule.constants(step: 1, learningRate: 1e-3) else { return XCTFail() }
    XCTAssertEqual(constants.oneMinusBeta2, 0.001)
    XCTAssertEqual(constants.oneMinusBeta1, 0.1)
    XCTAssertEqual(Double(decimal: 1e-8), 1e-8)
  }

  /// lr 0.001 means 0.001 too: the first step of Adam is the rate itself, rounded once.
  func testTheLearningRateIsReadAsADecimal() {
    for rate in [Float(1e-3), 3e-4, 0.1, 2.5e-5] {
      let optimizer = Momentum32(learningRate: 1)
      optimizer.learningRate = rate
      var parameter: [Float] = [0]
      optimizer.update("p", &parameter, along: [1])
      XCTAssertEqual(parameter[0], -Float(Double("\(rate)")!))
    }
  }

  func testPowersMatchTheLibrary() {
    for exponent in [0, 1, 2, 3, 10, 1000, 16_777_217] {
      XCTAssertEqual(power(0.999, exponent), pow(0.999, Double(exponent)), accuracy: 1e-9)
    }
  }

  func testTheBlockSizeChangesTheScales() {
    let optimizer = Adam8bit(blockSize: 64)
    optimizer.sizeRule.minimumCount = 0
    var parameter = [Float](repeating: 0, count: 130)
    optimizer.update("p", &parameter, along: (0..<130).map(Float.init))
    XCTAssertEqual(optimizer.quantizedMoments(of: "p")?.first?.scales.count, 3)
  }
}
