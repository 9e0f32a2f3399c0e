import Foundation
import XCTest

@testable import lowbit_train

#if canImport(FoundationXML)
import FoundationXML
#endif

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

  func testAxisTicksAreRound() {
    let axis = Axis([1.93, 4.4])
    XCTAssertEqual(axis.ticks.map(axis.label), ["1.5", "2.0", "2.5", "3.0", "3.5", "4.0", "4.5"])
    XCTAssertEqual(axis.share(1.5), 0)
    XCTAssertEqual(axis.share(4.5), 1)
    let steps = Axis([0, 600])
    XCTAssertEqual(steps.ticks.map(steps.label), ["0", "100", "200", "300", "400", "500", "600"])
    let narrow = Axis([2, 2.003])
    XCTAssertEqual(Set(narrow.ticks.map(narrow.label)).count, narrow.ticks.count, "labels must differ")
  }
}

/// Reads a drawing back with the system's own XML parser.
private final class SVGReader: NSObject, XMLParserDelegate {
  private(set) var root: String?
  private(set) var texts: [String] = []
  private(set) var curves: [[(x: Double, y: Double)]] = []
  private(set) var problem: String?
  private var text: String?

  init(_ svg: String) {
    super.init()
    let parser = XMLParser(data: Data(svg.utf8))
    parser.delegate = self
    if !parser.parse() { problem = parser.parserError.map { "\($0)" } ?? "not well-formed" }
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
    attributes: [String: String] = [:]
  ) {
    if root == nil { root = name }
    if name == "text" { text = "" }
    if name == "polyline" {
      curves.append(
        (attributes["points"] ?? "").split(separator: " ").map { point in
          let parts = point.split(separator: ",").map { Double($0) ?? .nan }
          return (parts[0], parts[1])
        })
    }
  }

  func parser(_ parser: XMLParser, foundCharacters string: String) { text?.append(string) }

  func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
    if name == "text", let text { texts.append(text) }
    if name == "text" { self.text = nil }
  }
}
