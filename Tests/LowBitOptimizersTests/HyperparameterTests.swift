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
