import TestSupport
import XCTest

@testable import lowbit_train

final class LossChartTests: XCTestCase {
  private func result(_ name: String, like full: String = "Adam32", _ losses: [Double]) -> TrainingResult {
    TrainingResult(
      optimizer: name, fullPrecision: full, steps: losses.count, losses: losses, finalTrainingLoss: 2,
      finalValidationLoss: 2, stateBytes: 8, parameterCount: 1, secondsPerStep: 1)
  }

  func testIsWellFormedAndHoldsTheTexts() {
    let title = "a <b> & \"c\" 'd' \u{0}\u{1B}é"
    let losses = (0..<300).map { 4 - Double($0) * 0.008 }
    let chart = LossChart(title: title, results: [result("Adam32", losses), result("A<&>8bit", losses)])
    let reader = SVGReader(chart.svg())
    XCTAssertNil(reader.problem)
    XCTAssertEqual(reader.root, "svg")
    XCTAssertEqual(reader.curves.count, 2)
    XCTAssertTrue(reader.texts.contains("a <b> & \"c\" 'd' é"), "\(reader.texts)")
    for text in ["Adam32", "A<&>8bit", "step", "training loss", "0", "300"] {
      XCTAssertTrue(reader.texts.contains(text), "\(text) is not in \(reader.texts)")
    }
  }

  /// The loss falls, so the drawn line must go right and down (y grows downwards), and stay inside the drawing.
  func testCurveGoesTheRightWay() throws {
    let chart = LossChart(title: "", results: [result("Adam32", (0..<120).map { 5 - Double($0) / 40 })])
    let points = try XCTUnwrap(SVGReader(chart.svg()).curves.first)
    XCTAssertEqual(points.count, 60)
    for (one, next) in zip(points, points.dropFirst()) {
      XCTAssertLessThan(one.x, next.x)
      XCTAssertLessThan(one.y, next.y)
    }
    XCTAssertTrue(points.allSatisfy { (0...900).contains($0.x) && (0...480).contains($0.y) })
  }

  func testOddResultsStillDraw() {
    for losses in [[], [2], [3, 3, 3], [.nan, 2, .infinity], [.nan]] as [[Double]] {
      let reader = SVGReader(LossChart(title: "t", results: [result("Adam32", losses)]).svg())
      XCTAssertNil(reader.problem, "\(losses)")
      XCTAssertTrue(reader.curves.joined().allSatisfy { $0.x.isFinite && $0.y.isFinite }, "\(losses)")
    }
    XCTAssertNil(SVGReader(LossChart(title: "t", results: []).svg()).problem)
  }
}
