import Foundation
import ProgramSupport
import TestSupport
import XCTest

@testable import lowbit_bench

final class ReportTests: XCTestCase {
  private func row(_ name: String, _ nanoseconds: Double, float32: Double?) -> MeasuredRow {
    MeasuredRow(
      section: .steps, name: name, kernels: "portable", threads: 2, elements: 4096,
      nanosecondsPerParameter: nanoseconds, stateBytesPerParameter: 2.03125, trafficBytesPerParameter: 16.0625,
      ratioToFloat32: float32.map { nanoseconds / $0 }, spread: 0.02, ratioSpread: 0.01, float32Nanoseconds: float32)
  }

  func testNumbers() {
    XCTAssertEqual(fixed(1.23456, 3, "x"), "1.235x")
    XCTAssertEqual(fixed(nil, 3, "x"), "-")
    XCTAssertEqual(percent(0.1234), "12.3 %")
    XCTAssertEqual(percent(nil), "-")
    XCTAssertEqual([1 << 24, 1000, 1, 4096, 4097].map(power), ["2^24", "1000", "1", "2^12", "4097"])
  }

  func testTrafficOverTime() {
    XCTAssertEqual(row("A", 2, float32: nil).gigabytesPerSecond, 8.03125)
  }

  func testEveryJSONRowHasEveryKey() throws {
    var bare = row("scan", 1, float32: nil)
    bare.stateBytesPerParameter = nil
    bare.trafficBytesPerParameter = nil
    let data = try resultJSON([row("Adam8bit", 1.5, float32: 2), bare])
    let rows = try XCTUnwrap(JSONSerialization.jsonObject(with: data) as? [[String: Any]])
    XCTAssertEqual(rows.count, 2)
    let keys = [
      "name", "kernels", "threads", "elements", "nanosecondsPerParameter", "stateBytesPerParameter",
      "trafficBytesPerParameter", "ratioToFloat32", "spread",
    ]
    for row in rows { XCTAssertTrue(Set(keys).isSubset(of: row.keys), "\(row.keys)") }
    XCTAssertEqual(rows[0]["name"] as? String, "Adam8bit")
    XCTAssertEqual(rows[0]["ratioToFloat32"] as? Double, 0.75)
    XCTAssertEqual(rows[0]["elements"] as? Int, 4096)
    XCTAssertTrue(rows[1]["ratioToFloat32"] is NSNull)
  }

  func testChartIsWellFormed() {
    let rows = [row("Adam32", 1, float32: 1), row("<A&\"8\u{1}bit>", 3.3, float32: 1)]
    for rows in [rows, []] {
      let chart = BarChart(title: "a < b", subtitle: "CPU & \"more\"", rows: rows)
      let reader = SVGReader(chart.svg())
      XCTAssertNil(reader.problem)
      XCTAssertEqual(reader.root, "svg")
      XCTAssertTrue(reader.texts.contains("a < b"))
      XCTAssertTrue(reader.texts.contains("CPU & \"more\""))
      // White, two in the legend, and two for each optimizer.
      XCTAssertEqual(reader.widths.count, 3 + 2 * rows.count)
      if rows.isEmpty { continue }
      XCTAssertTrue(reader.texts.contains("<A&\"8bit>"), "\(reader.texts)")
      XCTAssertEqual(reader.widths[5] / reader.widths[6], 1 / 3.3, accuracy: 0.01, "bars are as long as the times")
    }
  }

  func testSummaryNamesTheChange() {
    let rows = [row("Adam32", 2, float32: 2), row("Adam8bit", 3, float32: 2)]
    XCTAssertEqual(
      Report.summary(rows), "Adam8bit takes 1.50 times as long as Adam32, with 2.03 bytes of state per parameter.\n")
  }
}
