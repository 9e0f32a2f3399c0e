import Foundation
import XCTest

@testable import lowbit_train

final class SchemesTests: XCTestCase {
  private let plan = SchemesPlan(
    tasks: SchemesPlan.tasks, seeds: [1, 2], length: .quick, material: SmallStudy.material)

  func testNamesAreDifferent() {
    let names = plan.schemes.map(\.name)
    XCTAssertEqual(Set(names).count, names.count)
    let jobs = plan.jobs().map(\.name)
    XCTAssertEqual(Set(jobs).count, jobs.count)
    XCTAssertEqual(jobs.count, names.count * 3 * 2)
    XCTAssertEqual(jobs[0], "schemes.characters-plain.50-steps.Adam32.seed1")
  }

  func testSchemesAndRatesCanBeChosen() {
    let plan = SchemesPlan(
      only: ["nf4"], tasks: [.digits], seeds: [3], rateFactor: 2, length: .full, material: SmallStudy.material)
    XCTAssertEqual(
      plan.jobs().map(\.name),
      ["schemes.digits.750-steps.rate-2.0.Adam32.seed3", "schemes.digits.750-steps.rate-2.0.nf4.seed3"])
    XCTAssertTrue(plan.jobs().allSatisfy { $0.setting.contains("rate 0.008,") })
    XCTAssertNotEqual(
      SchemesPlan(tasks: [.digits], seeds: [1], length: .full, material: SmallStudy.material).suffix, plan.suffix)
  }

  /// The losses of Adam32 are 1 and 2, those of all others 1 % and 3 % more.
  private var report: SchemesReport {
    SchemesReport(
      plan,
      plan.runs.map { run in
        let loss = Double(run.seed)
        if run.scheme.name == "Adam32" { return SmallStudy.outcome(loss: loss, largest: 1) }
        let excess = run.seed == 1 ? 0.01 : 0.03
        return SmallStudy.outcome(loss: run.scheme.name == "zip-sr" ? .infinity : loss * (1 + excess), largest: 1)
      })
  }

  func testExcessesArePaired() {
    let row = report.rows.first { $0.scheme.name == "nf4" }!
    XCTAssertEqual(row.cells.count, 3)
    XCTAssertEqual(row.cells[0].excesses[0], 0.01, accuracy: 1e-12)
    XCTAssertEqual(row.cells[0].excesses[1], 0.03, accuracy: 1e-12)
    XCTAssertEqual(row.bytesPerParameter, 2)
  }

  func testTables() {
    let lines = report.lines()
    XCTAssertTrue(lines.contains { $0.hasPrefix("Adam32") && $0.contains("+0.00 ± 0.00") })
    XCTAssertTrue(lines.contains { $0.hasPrefix("NF4 ") && $0.contains("+2.00 ± 1.41") })
    XCTAssertTrue(lines.contains { $0.hasPrefix("ZIP-SR") && $0.contains("2 of 2 diverged") })
    for group in MomentScheme.Group.allCases { XCTAssertTrue(lines.contains(group.title)) }
  }

  func testFile() throws {
    let rows = try XCTUnwrap(JSONSerialization.jsonObject(with: report.json()) as? [[String: Any]])
    XCTAssertEqual(rows.count, plan.schemes.count * 3)
    XCTAssertEqual(rows[0]["scheme"] as? String, "Adam32")
    XCTAssertEqual(rows[0]["task"] as? String, "characters-plain")
  }

  /// All schemes but those of few bits train a small model about as well as 32 bits.
  func testJobsRun() throws {
    let plan = SchemesPlan(tasks: [.wordsPlain], seeds: [1], length: .quick, material: SmallStudy.material)
    let runner = StudyJobs(folder: try StudyFolder(path: temporaryFolder()), threads: 2) { _ in }
    let report = SchemesReport(plan, try runner.outcomes(plan.jobs()))
    for row in report.rows where row.scheme.group != .momentum {
      XCTAssertEqual(row.cells[0].divergedCount, 0, row.scheme.name)
      XCTAssertLessThan(abs(row.cells[0].excesses[0]), 0.05, row.scheme.name)
    }
  }
}
