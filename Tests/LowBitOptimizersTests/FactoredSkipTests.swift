import LowBitOptimizers
import TestSupport
import XCTest

@testable import LowBitOptimizers

/// Gradients that are not finite beside means of rows and columns.
final class FactoredSkipTests: XCTestCase {
  private func optimizer() -> AdamMixed {
    let optimizer = AdamMixed(firstMoment: .float32, secondMoment: .factored, learningRate: 1e-2, blockSize: 128)
    optimizer.sizeRule.minimumCount = 0
    return optimizer
  }

  /// Blocks within rows, over several rows, and over the border of two matrices.
  func testSkippedElementsCountForNothing() throws {
    var generator = SeededGenerator()
    for (shape, positions) in [
      ([20, 500], [[0], [700], [9_999], [100, 600, 1100], Array(500..<1000)]), ([40, 30], [[0], [150], [1199]]),
      ([3, 17, 21], [[400], [0, 1000]]), ([20, 2100], [[1023], [1024], [2099]]),
    ] as [([Int], [[Int]])] {
      for bad in positions {
        for value in [Float.nan, .infinity, -.infinity] {
          let optimizer = optimizer()
          var parameter = (0..<shape.reduce(1, *)).map { _ in 1 + generator.uniform() }
          var oracle = FactoredOracle(optimizer, shape: shape, parameter: parameter)
          for step in 1...4 {
            var gradient = parameter.map { _ in generator.normal() }
            if step % 2 == 1 { for position in bad { gradient[position] = value } }
            let before = parameter
            let summary = optimizer.update("p", &parameter, along: gradient, shape: shape)
            oracle.update(along: gradient)
            let what = "\(shape) \(bad.first!) step \(step)"
            XCTAssertEqual(summary.skippedBlockCount, step % 2 == 1 ? Set(bad.map { $0 / 128 }).count : 0, what)
            let skipped = parameter.indices.filter { oracle.isSkipped($0, gradient) }
            XCTAssertTrue(skipped.allSatisfy { parameter[$0] == before[$0] }, what)
            let worst = zip(parameter, oracle.parameter).map { (Double($0) - $1).magnitude }.max()!
            XCTAssertLessThan(worst, 4e-6, what)
            let moment = try XCTUnwrap(optimizer.factoredMoment(of: "p"))
            for (means, expected) in [(moment.rowMeans, oracle.rows), (moment.columnMeans, oracle.columns)] {
              XCTAssertNil(zip(means, expected).first { (Double($0) - $1).magnitude > 1e-5 * $1 }, what)
            }
          }
        }
      }
    }
  }

  /// Rows, columns and matrices of which nothing moved keep their means to the bit.
  func testWhatIsSkippedAsAWholeStaysAsItIs() throws {
    var generator = SeededGenerator()
    let shape = [3, 16, 128]
    let optimizer = optimizer()
    var parameter = (0..<3 * 16 * 128).map { _ in generator.normal() }
    func gradient() -> [Float] { parameter.map { _ in generator.normal() } }
    optimizer.update("p", &parameter, along: gradient(), shape: shape)
    let (before, old) = (parameter, try XCTUnwrap(optimizer.factoredMoment(of: "p")))
    var bad = gradient()
    bad[5 * 128] = .nan
    for row in 16..<32 { bad[row * 128 + row] = .infinity }
    XCTAssertEqual(optimizer.update("p", &parameter, along: bad, shape: shape).skippedBlockCount, 17)
    let new = try XCTUnwrap(optimizer.factoredMoment(of: "p"))
    for row in 0..<48 {
      XCTAssertEqual(new.rowMeans[row] == old.rowMeans[row], row == 5 || (16..<32).contains(row), "row \(row)")
    }
    for column in 0..<384 {
      XCTAssertEqual(new.columnMeans[column] == old.columnMeans[column], (128..<256).contains(column), "\(column)")
    }
    XCTAssertTrue(parameter[2048..<4096] == before[2048..<4096])

    // All of it.
    bad = bad.map { _ in .nan }
    let snapshot = OptimizerSnapshot(optimizer)
    let moved = parameter
    XCTAssertEqual(optimizer.update("p", &parameter, along: bad, shape: shape).skippedBlockCount, 48)
    XCTAssertTrue(OptimizerSnapshot(optimizer) == snapshot)
    XCTAssertTrue(parameter == moved)
  }

  func testTheStrictFormLeavesEverythingUntouched() throws {
    let optimizer = optimizer()
    var parameter = [Float](repeating: 1, count: 1200)
    optimizer.update("p", &parameter, along: parameter, shape: [30, 40])
    let (snapshot, before) = (OptimizerSnapshot(optimizer), parameter)
    var gradient = parameter
    gradient[777] = .nan
    XCTAssertThrowsError(try optimizer.updateStrictly("p", &parameter, along: gradient, shape: [30, 40])) {
      XCTAssertEqual(($0 as? NonFiniteGradient)?.index, 777)
    }
    XCTAssertTrue(OptimizerSnapshot(optimizer) == snapshot)
    XCTAssertTrue(parameter == before)
  }
}
