import Foundation
import XCTest

@testable import ProgramSupport

final class ReportTests: XCTestCase {
  func testTableAlignsNamesLeftAndNumbersRight() {
    let table = TextTable(headings: [["", "ns"], ["name", "each"]], rows: [["Adam32", "1.5"], ["A", "12345.6"]])
    XCTAssertEqual(
      table.lines(),
      [
        "             ns",
        "name       each",
        "Adam32      1.5",
        "A       12345.6",
      ])
  }

  func testLastColumnMayBeText() {
    let table = TextTable(headings: [["name", "ns", "curve"]], rows: [["A", "12345.6", "--"]], lastIsText: true)
    XCTAssertEqual(table.lines(), ["name       ns  curve", "A     12345.6  --"])
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

  func testTicksReachTheLargestValue() {
    for value in [0, 1e-3, 0.7, 1, 1.2, 6, 99, 12345] {
      let axis = Axis([0, value])
      XCTAssertEqual(axis.low, 0)
      XCTAssertGreaterThanOrEqual(axis.high, value)
      XCTAssertTrue((2...7).contains(axis.ticks.count), "\(value): \(axis.ticks)")
    }
  }

  func testTextsAreEscaped() {
    XCTAssertEqual(
      SVG.text(1, 2.25, "<a b='\"'>&\u{0}\u{1B}\t\u{e9}", #"font-size="16""#),
      #"<text x="1.0" y="2.2" font-size="16">&lt;a b=&apos;&quot;&apos;&gt;&amp; \#u{e9}</text>"#)
  }

  func testNumbersThatJSONLacksAreWritten() throws {
    let data = try resultJSON([["a": Double.nan, "b": -.infinity, "c": 0.5]])
    let rows = try XCTUnwrap(JSONSerialization.jsonObject(with: data) as? [[String: Any]])
    XCTAssertEqual(rows[0]["a"] as? String, "nan")
    XCTAssertEqual(rows[0]["b"] as? String, "-infinity")
    XCTAssertEqual(rows[0]["c"] as? Double, 0.5)
  }

  func testAWrongPathIsFoundEarly() throws {
    XCTAssertThrowsError(try OutputFile("/nowhere/at-all.json")) {
      XCTAssertEqual("\($0)", "/nowhere/at-all.json cannot be written.")
    }
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("out-\(UUID().uuidString).txt").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let file = try OutputFile(path)
    XCTAssertTrue(FileManager.default.fileExists(atPath: path))
    try file.write("text")
    XCTAssertEqual(try String(contentsOfFile: path, encoding: .utf8), "text")
  }
}
