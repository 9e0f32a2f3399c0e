import LowBitOptimizers
import TestSupport
import XCTest

final class NonFiniteGradientTests: XCTestCase {
  private func optimizers() -> [LowBitOptimizer] {
    let extreme = FirstMomentFormat.dynamic4.scaled(by: .signedExtreme)
    let all: [LowBitOptimizer] = [
      Adam32(), Adam8bit(), AdamW32(), AdamW8bit(), Momentum32(), Momentum8bit(), Adam4bit(blockSize: 256),
      AdamW3bit(blockSize: 256), Adam2bit(blockSize: 256), Momentum4bit(blockSize: 256), Momentum3bit(blockSize: 256),
      Momentum2bit(blockSize: 256),
      AdamWMixed(firstMoment: extreme, secondMoment: .logarithmic(bits: 4, quantile: .exact()), blockSize: 256),
    ]
    for optimizer in all { optimizer.sizeRule.minimumCount = 0 }
    return all
  }

  private let bad: [Float] = [.nan, .infinity, -.infinity, -.nan, .signalingNaN]

  /// A block with a bad gradient stays as it was; all others move as if nothing had happened.
  func testABadBlockIsSkippedAndCounted() throws {
    var generator = SeededGenerator()
    let count = 5 * 256 + 77
    let start = (0..<count).map { _ in generator.normal() }
    let gradients = (0..<3).map { _ in (0..<count).map { _ in generator.normal() } }
    for (reference, tested) in zip(optimizers(), optimizers()) {
      for value in bad {
        for position in [0, 255, 256, 700, 5 * 256, count - 1] {
          reference.reset()
          tested.reset()
          var expected = start
          var parameter = start
          reference.update("p", &expected, along: gradients[0])
          tested.update("p", &parameter, along: gradients[0])
          let before = parameter
          let momentsBefore = try XCTUnwrap(tested.moments(of: "p"))

          var gradient = gradients[1]
          gradient[position] = value
          let summary = tested.update("p", &parameter, along: gradient)
          reference.update("p", &expected, along: gradients[1])
          XCTAssertEqual(summary.blockCount, 6)
          XCTAssertEqual(summary.skippedBlockCount, 1)

          let block = position / 256 * 256..<min((position / 256 + 1) * 256, count)
          let moments = try XCTUnwrap(tested.moments(of: "p"))
          let expectedMoments = try XCTUnwrap(reference.moments(of: "p"))
          for index in 0..<count {
            let isSkipped = block.contains(index)
            XCTAssertEqual(parameter[index], isSkipped ? before[index] : expected[index])
            XCTAssertEqual(
              moments.first[index], isSkipped ? momentsBefore.first[index] : expectedMoments.first[index])
            if let second = moments.second {
              XCTAssertEqual(second[index], isSkipped ? momentsBefore.second![index] : expectedMoments.second![index])
            }
          }
          XCTAssertEqual(tested.stepCount(of: "p"), 2)
        }
      }
    }
  }

  func testATensorOfWhichNothingMovedHasMadeNoStep() {
    for optimizer in optimizers() {
      var parameter: [Float] = [1, 2]
      let summary = optimizer.update("p", &parameter, along: [.nan, 1])
      XCTAssertEqual(summary.skippedBlockCount, 1)
      XCTAssertEqual(parameter, [1, 2])
      XCTAssertEqual(optimizer.stepCount(of: "p"), 0)
      XCTAssertTrue(summary.description.contains("1 skipped"))
    }
  }

  func testTheStrictFormThrowsAndLeavesEverythingUntouched() throws {
    var generator = SeededGenerator()
    let count = 200_000
    for optimizer in optimizers() {
      for position in [0, 255, 99_999, count - 1] {
        for value in bad {
          let start = (0..<count).map { _ in generator.uniform() }
          var parameter = start
          var gradient = [Float](repeating: 1, count: count)
          gradient[position] = value
          gradient[count - 1] = value
          XCTAssertThrowsError(try optimizer.updateStrictly("p", &parameter, along: gradient)) { error in
            XCTAssertEqual((error as? NonFiniteGradient)?.index, position)
            XCTAssertEqual((error as? NonFiniteGradient)?.key, "p")
          }
          XCTAssertEqual(parameter, start)
          XCTAssertEqual(optimizer.stateByteCount, 0, "a refused update must not create state")
        }
      }
      var parameter: [Float] = [1]
      try optimizer.updateStrictly("p", &parameter, along: [1])
      XCTAssertNotEqual(parameter, [1])
    }
  }

  func testTheStrictBatchIsAllOrNothing() {
    let optimizer = Adam8bit()
    var a: [Float] = [1]
    var b: [Float] = [1]
    let gradients: [Float] = [1, .nan]
    let message: String? = a.withUnsafeMutableBufferPointer { a in
      b.withUnsafeMutableBufferPointer { b in
        gradients.withUnsafeBufferPointer { gradients in
          do {
            try optimizer.updateStrictly([
              TensorUpdate("a", a, along: UnsafeBufferPointer(rebasing: gradients[..<1])),
              TensorUpdate("b", b, along: UnsafeBufferPointer(rebasing: gradients[1...])),
            ])
            return nil
          } catch {
            return "\(error)"
          }
        }
      }
    }
    XCTAssertEqual(message, "b: the gradient at 0 is nan")
    XCTAssertEqual(a + b, [1, 1])
  }

  /// Gradients that are finite but whose squares are not: the second moment saturates, and nothing turns into a NaN.
  func testTheLargestGradientsDoNoHarm() throws {
    for optimizer in optimizers() {
      var parameter = [Float](repeating: 1, count: 300)
      for step in 0..<5 {
        let gradient = (0..<300).map { ($0 + step) % 2 == 0 ? Float(1e25) : 1e-3 }
        optimizer.update("p", &parameter, along: gradient)
      }
      XCTAssertTrue(parameter.allSatisfy(\.isFinite), "\(optimizer)")
      if optimizer is AdamOptimizer {
        if let quantized = try XCTUnwrap(optimizer.quantizedMoments(of: "p")).second {
          XCTAssertTrue(quantized.scales.allSatisfy(\.isFinite))
        }
      }
    }
  }
}
