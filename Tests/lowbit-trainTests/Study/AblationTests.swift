import Foundation
import LowBitOptimizers
import TestSupport
import XCTest

@testable import lowbit_train

final class AblationReportTests: XCTestCase {
  private let plan = AblationPlan(seeds: [1], length: .quick, material: SmallStudy.material)

  /// As in the paper: linear moments fail most, and a stable embedding helps.
  private var report: AblationReport {
    AblationReport(
      plan,
      plan.runs.enumerated().map { index, run in
        let fails = run.format == .linear && (run.embedding == .plain || index % 3 == 0)
        return SmallStudy.outcome(loss: fails ? .infinity : 2)
      })
  }

  func testGrid() {
    XCTAssertEqual(plan.runs.count, 5 * 2 * 9)
    let names = plan.jobs().map(\.name)
    XCTAssertEqual(Set(names).count, names.count)
    XCTAssertEqual(names[0], "ablation.125-steps.linear.plain.beta2-0.999.epsilon-1e-08.seed1")
  }

  func testRows() {
    let rows = report.rows
    XCTAssertEqual(rows.count, 10)
    XCTAssertEqual(rows[0].unstableShare, 1)
    XCTAssertEqual(rows[1].unstableShare, 1.0 / 3, accuracy: 1e-9)
    XCTAssertEqual(rows[0].medianLoss, .infinity)
    XCTAssertEqual(rows[1].medianLoss, 2)
    XCTAssertTrue(rows.dropFirst(2).allSatisfy { $0.unstableShare == 0 })
    XCTAssertTrue(report.lines().allSatisfy { $0.count <= 80 })
  }

  func testFiles() throws {
    let rows = try XCTUnwrap(JSONSerialization.jsonObject(with: report.json()) as? [[String: Any]])
    XCTAssertEqual(rows.count, 90)
    XCTAssertEqual(rows[0]["isUnstable"] as? Bool, true)
    XCTAssertEqual(rows[0]["moments"] as? String, "linear")
    let reader = SVGReader(report.svg())
    XCTAssertNil(reader.problem)
    XCTAssertTrue(reader.widths.contains(370), "a full bar")
    XCTAssertTrue(reader.texts.contains("Adam8bit"))
  }

  /// All formats train a small model, but for the one that cannot.
  func testJobsRun() throws {
    let seeds = plan.jobs().enumerated().filter { $0.offset % 9 == 0 }.map(\.element)
    let runner = StudyJobs(folder: try StudyFolder(path: temporaryFolder()), threads: 2) { _ in }
    let outcomes = try runner.outcomes(seeds)
    XCTAssertEqual(outcomes.count, 10)
    XCTAssertFalse(outcomes[8].isDiverged, "32 bits, plain")
    XCTAssertEqual(outcomes[6].validationLoss, outcomes[8].validationLoss, accuracy: 0.01)
    XCTAssertEqual(outcomes[4].validationLoss, outcomes[8].validationLoss, accuracy: 0.02)
  }
}
