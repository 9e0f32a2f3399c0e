import LowBitOptimizers
import TestSupport
import XCTest

/// What must never happen to a parameter, whatever shares its block.
final class SafetyTests: XCTestCase {
  func testAParameterWithoutGradientNeverMoves() {
    var generator = SeededGenerator()
    let optimizers: [LowBitOptimizer] = [
      Adam32(learningRate: 1e-2), Adam8bit(learningRate: 1e-2), AdamW8bit(learningRate: 1e-2, weightDecay: 0),
      Momentum32(learningRate: 0.1), Momentum8bit(learningRate: 0.1), Momentum8bit(learningRate: 0.1, nesterov: true),
      Adam4bit(learningRate: 1e-2), Adam3bit(learningRate: 1e-2), AdamW2bit(learningRate: 1e-2, weightDecay: 0),
      Momentum4bit(learningRate: 0.1), Momentum3bit(learningRate: 0.1), Momentum2bit(learningRate: 0.1),
      AdamMixed(
        firstMoment: .dynamic2.scaled(by: .signedExtreme), secondMoment: .logarithmic(bits: 4, quantile: .exact())),
    ]
    for optimizer in optimizers {
      optimizer.sizeRule.minimumCount = 0
      let start = (0..<600).map { _ in generator.normal() }
      var parameter = start
      for _ in 0..<1000 {
        let gradient = (0..<600).map { $0 % 3 == 0 && $0 < 512 ? generator.wideRange() : 0 }
        optimizer.update("p", &parameter, along: gradient)
      }
      for index in 0..<600 where index % 3 != 0 || index >= 512 {
        XCTAssertEqual(parameter[index].bitPattern, start[index].bitPattern, "\(optimizer) \(index)")
      }
      XCTAssertNotEqual(parameter[0], start[0])
    }
  }

  /// One element at gradient 1 and its neighbours at r: a second moment that decoded to zero would throw them far off.
  func testNoNeighbourOfALargeGradientTakesARunawayStep() {
    let learningRate: Float = 1e-3
    for power in 1...6 {
      for jitter in [false, true] {
        var generator = SeededGenerator("r = 1e-\(power)")
        let optimizer = Adam8bit(learningRate: learningRate)
        optimizer.sizeRule.minimumCount = 0
        var parameter = [Float](repeating: 0, count: 256)
        for step in 1...300 {
          var gradient = (0..<256).map { _ in
            Float(pow(10, -Double(power))) * (jitter ? generator.normal() : 1)
          }
          gradient[77] = 1
          let before = parameter
          optimizer.update("p", &parameter, along: gradient)
          let largest = zip(parameter, before).map { ($0 - $1).magnitude }.max()!
          XCTAssertLessThanOrEqual(largest, 2 * learningRate, "r 1e-\(power), step \(step)")
        }
      }
    }
  }

  func testAnEpsilonAtItsFloorStillKeepsAnIdleParameterStill() {
    for optimizer in [Adam32(epsilon: 1e-30), Adam8bit(epsilon: 1e-30)] {
      optimizer.sizeRule.minimumCount = 0
      var parameter: [Float] = [1, 1]
      for _ in 0..<100 { optimizer.update("p", &parameter, along: [0.5, 0]) }
      XCTAssertEqual(parameter[1], 1)
    }
  }

  func testARateOfZeroMovesNothingButAdvancesTheState() throws {
    for optimizer in [Adam8bit(learningRate: 0), Momentum8bit(learningRate: 0)] as [LowBitOptimizer] {
      optimizer.sizeRule.minimumCount = 0
      var parameter: [Float] = [1, -2, 3]
      optimizer.update("p", &parameter, along: [1, 2, 3])
      XCTAssertEqual(parameter, [1, -2, 3])
      XCTAssertEqual(optimizer.stepCount(of: "p"), 1)
      XCTAssertNotEqual(try XCTUnwrap(optimizer.moments(of: "p")).first, [0, 0, 0])
    }
  }

  func testTheFirstStepOfAdamIsTheLearningRate() {
    for optimizer in [Adam32(learningRate: 0.01), Adam8bit(learningRate: 0.01)] {
      optimizer.sizeRule.minimumCount = 0
      var parameter = [Float](repeating: 0, count: 300)
      optimizer.update("p", &parameter, along: (0..<300).map { $0 % 2 == 0 ? 3 : -0.001 })
      for (index, value) in parameter.enumerated() {
        XCTAssertEqual(value, index % 2 == 0 ? -0.01 : 0.01, accuracy: 1e-6)
      }
    }
  }

  /// Free-running distance from 32 bits, relative to the distance travelled; exact block-wise rounding gives 0.013.
  func testEightBitsStayNearThirtyTwo() {
    var generator = SeededGenerator()
    let count = 1 << 15
    let means = (0..<count).map { _ in 0.3 * generator.normal() }
    for (exact, low) in [
      (Adam32(learningRate: 1e-3), Adam8bit(learningRate: 1e-3)),
      (Momentum32(learningRate: 0.01), Momentum8bit(learningRate: 0.01)),
    ] as [(LowBitOptimizer, LowBitOptimizer)] {
      var exactParameter = [Float](repeating: 0, count: count)
      var lowParameter = exactParameter
      for _ in 0..<50 {
        let gradient = means.map { $0 + generator.normal() }
        exact.update("p", &exactParameter, along: gradient)
        low.update("p", &lowParameter, along: gradient)
      }
      let distance = zip(exactParameter, lowParameter).reduce(0.0) { $0 + pow(Double($1.0 - $1.1), 2) }.squareRoot()
      let travelled = exactParameter.reduce(0.0) { $0 + pow(Double($1), 2) }.squareRoot()
      XCTAssertLessThan(distance / travelled, 0.018)
      XCTAssertGreaterThan(distance / travelled, 0.005, "too good: is the state really in 8 bits?")
    }
  }
}
