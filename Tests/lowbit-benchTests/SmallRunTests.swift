import ProgramSupport
import XCTest

@testable import lowbit_bench

/// A real run on small arrays. Nothing is said about times beyond their being numbers.
final class SmallRunTests: XCTestCase {
  private func plan(_ arguments: [String] = []) throws -> Plan {
    var plan = try Plan(Options(["--elements", "2^12", "--rounds", "3"] + arguments))
    plan.leastSampleTime = 0
    plan.roofArrayByteCount = 1 << 21
    plan.sizes = [4096, 5000]
    plan.batchTensorCount = 10
    return plan
  }

  private func rows(_ plan: Plan, _ sections: [Section] = Section.allCases) -> [Section: [MeasuredRow]] {
    var results: [Section: [MeasuredRow]] = [:]
    for section in sections {
      plan.measure([section]) { results[section, default: []] += $0.rows }
    }
    return results
  }

  func testAllSections() throws {
    let plan = try plan()
    let results = rows(plan)
    let setCount = plan.kernelSets.count
    XCTAssertEqual(results[.roof]?.map(\.name), ["memory copy", "memory read", "update in place"])
    XCTAssertEqual(results[.steps]?.map(\.name), Subject.all.map(\.name))
    XCTAssertEqual(
      results[.kernels]?.map(\.name),
      (0..<setCount).flatMap { _ in Subject.all.map(\.name).filter { !$0.hasPrefix("AdamW") } })
    XCTAssertEqual(results[.stages]?.count, Stage.allCases.count * setCount)
    XCTAssertEqual(Set(results[.kernels]!.map(\.kernels)), Set(plan.kernelSets.map(\.name)))
    let adamCount = Subject.all.count { $0.partner == "Adam32" }
    XCTAssertEqual(results[.threads]?.count, adamCount * plan.threadCounts.count)
    XCTAssertEqual(results[.sizes]?.count, adamCount * 2)
    XCTAssertEqual(results[.batch]?.count, adamCount * 2)
    for row in results.values.joined() { check(row) }
  }

  private func check(_ row: MeasuredRow) {
    let numbers = [
      row.nanosecondsPerParameter, row.stateBytesPerParameter ?? 1, row.trafficBytesPerParameter ?? 1,
      row.ratioToFloat32 ?? 1, row.float32Nanoseconds ?? 1,
    ]
    XCTAssertTrue(numbers.allSatisfy { $0.isFinite && $0 > 0 }, "\(row)")
    XCTAssertTrue(row.spread.isFinite && row.spread >= 0, "\(row)")
    XCTAssertTrue(row.threads > 0 && row.elements > 0 && !row.kernels.isEmpty, "\(row)")
    if row.name.hasSuffix("32") { XCTAssertEqual(row.ratioToFloat32, 1) }
  }

  func testStateAndTrafficBytes() throws {
    let steps = try XCTUnwrap(rows(plan(), [.steps])[.steps])
    let expected = [
      "Adam32": 8, "Adam8bit": 2.03125, "AdamW32": 8, "AdamW8bit": 2.03125, "Momentum32": 4, "Momentum8bit": 1.015625,
    ]
    for (name, bytes) in expected {
      let row = try XCTUnwrap(steps.first { $0.name == name })
      XCTAssertEqual(row.stateBytesPerParameter, bytes)
      XCTAssertEqual(row.trafficBytesPerParameter, 12 + 2 * bytes)
    }
  }

  func testFilterShowsOneRowWithItsRatio() throws {
    let results = try rows(plan(["--filter", "momentum8"]))
    XCTAssertEqual(results[.steps]?.map(\.name), ["Momentum8bit"])
    XCTAssertNotNil(results[.steps]?[0].ratioToFloat32)
    XCTAssertEqual(results[.batch]?.map(\.name), ["Momentum8bit, one tensor", "Momentum8bit, 10 tensors"])
    XCTAssertEqual(results[.stages], [])
  }

  func testBatchSizesAreFixed() throws {
    let plan = try Plan(Options())
    XCTAssertEqual(plan.batchSizes.count, 10_000)
    XCTAssertTrue(plan.batchSizes.allSatisfy { (1000...5000).contains($0) })
    XCTAssertEqual(plan.batchSizes.reduce(0, +), 30_088_528)
  }

  func testHeaderNamesKernelsAndBuild() throws {
    let header = try Report.header(plan(["--kernels", "portable"])).joined(separator: "\n")
    XCTAssertTrue(header.contains("kernels  portable (this machine can run portable"), header)
    XCTAssertEqual(header.contains("DEBUG BUILD"), Machine.isDebugBuild)
  }
}
