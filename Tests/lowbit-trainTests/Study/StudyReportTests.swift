import Foundation
import TestSupport
import XCTest

@testable import lowbit_train

final class StudyReportTests: XCTestCase {
  private let plan = StudyPlan(
    optimizers: ["Adam32", "Adam8bit", "Momentum8bit"].map { OptimizerEntry.named($0)! },
    tasks: [.wordsPlain, .digits],
    seeds: [1, 2], length: .full, material: SmallStudy.material)

  /// - Parameter change: what becomes of a run of Adam8bit on words.
  private func summary(_ change: (inout RunOutcome) -> Void = { _ in }) -> StudySummary {
    StudySummary(
      plan,
      plan.runs.map { run in
        let isLowBit = run.optimizer.name == "Adam8bit"
        var outcome = SmallStudy.outcome(
          loss: (run.seed == 1 ? 1.9 : 2.1) * (isLowBit ? 1.005 : 1), accuracy: isLowBit ? 0.975 : 0.98)
        if isLowBit, run.task == .wordsPlain { change(&outcome) }
        return outcome
      })
  }

  func testRows() {
    let summary = summary()
    XCTAssertEqual(
      summary.rows.map(\.optimizer.name),
      ["Adam32", "Adam8bit", "Momentum8bit"] + ["Adam32", "Adam8bit", "Momentum8bit"])
    XCTAssertEqual(summary.rows[0].metric.mean, 2, accuracy: 1e-12)
    XCTAssertEqual(summary.rows[0].metric.deviation, 0.02.squareRoot(), accuracy: 1e-12)
    XCTAssertNil(summary.rows[0].excess)
    XCTAssertEqual(summary.rows[1].excess!, 0.005, accuracy: 1e-12)
    XCTAssertEqual(summary.rows[1].excesses.count, 2)
    XCTAssertNil(summary.rows[2].excess, "its partner was not run")
    XCTAssertEqual(summary.rows[4].excess!, 1 - 0.975 / 0.98, accuracy: 1e-12, "less accuracy is worse")
    XCTAssertTrue(summary.keepsUp)
    XCTAssertEqual(Spread([3]).deviation, 0)
  }

  func testShortcomings() {
    let excess = 0.0201 / 2.0
    let worse = summary { $0.validationLoss = 2.0201 + ($0.validationLoss > 2 ? 0.1 : -0.1) }
    guard case .metric(let found, 0.01)? = worse.rows[1].shortcomings.first else { return XCTFail("no shortcoming") }
    XCTAssertEqual(found, excess, accuracy: 1e-9)
    XCTAssertFalse(worse.keepsUp)
    XCTAssertEqual(summary { $0.largestLoss = 2.21 }.rows[1].shortcomings, [.largestLoss(2.21, partner: 2)])
    XCTAssertTrue(summary { $0.largestLoss = 2.19 }.rows[1].shortcomings.isEmpty)
    let lost = summary { $0.validationLoss = .infinity }
    XCTAssertEqual(lost.rows[1].shortcomings.count, 2)
    XCTAssertEqual(lost.rows[1].shortcomings.last, .diverged(2, of: 2))
    XCTAssertTrue(StudyReport(summary: lost).lines().contains { $0.contains("diverged  ") || $0.contains("2 of 2") })
  }

  func testTableFitsATerminal() {
    let lines = StudyReport(summary: summary { $0.validationLoss = .infinity }).lines()
    XCTAssertTrue(lines.allSatisfy { $0.count <= 80 }, "\(lines)")
    XCTAssertTrue(lines.contains("20,000 words, plain embedding: validation loss, 2 seeds"))
    XCTAssertTrue(StudyReport(summary: summary()).lines().contains { $0.contains("0.50 % worse    1 %") })
  }

  func testVerdict() {
    XCTAssertEqual(
      StudyReport(summary: summary()).verdict(), ["2 of 2 comparisons with 32 bits are within their bounds."])
    XCTAssertEqual(
      StudyReport(summary: summary { $0.largestLoss = 3 }).verdict(),
      [
        "Adam8bit on words-plain: a loss of 3.000 after the warm-up; in 32 bits the largest is 2.000.",
        "1 of 2 comparisons with 32 bits are within their bounds.",
      ])
  }

  func testJSON() throws {
    let data = try StudyReport(summary: summary { $0.validationLoss = .infinity }).json()
    let rows = try XCTUnwrap(JSONSerialization.jsonObject(with: data) as? [[String: Any]])
    XCTAssertEqual(rows.count, 6)
    XCTAssertEqual(rows[1]["task"] as? String, "words-plain")
    XCTAssertEqual(rows[1]["optimizer"] as? String, "Adam8bit")
    XCTAssertEqual(rows[1]["mean"] as? String, "infinity")
    XCTAssertEqual(rows[1]["divergedShare"] as? Double, 1)
    XCTAssertEqual(rows[1]["keepsUp"] as? Bool, false)
    XCTAssertEqual((rows[4]["values"] as? [Double])?.count, 2)
    XCTAssertEqual(rows[4]["metric"] as? String, "validationAccuracy")
    for key in ["mean", "deviation", "largestLoss", "stateBytes", "divergedShare", "meanValidationLoss"] {
      XCTAssertTrue(rows.allSatisfy { $0[key] != nil }, key)
    }
  }

  func testChart() {
    let svg = StudyChart(summary: summary()).svg()
    let reader = SVGReader(svg)
    XCTAssertNil(reader.problem)
    XCTAssertEqual(reader.root, "svg")
    XCTAssertTrue(reader.texts.contains("20,000 words, plain embedding, validation loss"))
    XCTAssertEqual(reader.texts.count { $0 == "Adam8bit" }, 2)
    XCTAssertFalse(reader.texts.contains("Adam32"), "it is what the others are compared with")
    XCTAssertTrue(reader.texts.contains("+0.50 %"))
    XCTAssertEqual(svg.components(separatedBy: "<circle").count - 1, 4, "a dot a run")
    let lost = SVGReader(StudyChart(summary: summary { $0.validationLoss = .nan }).svg())
    XCTAssertNil(lost.problem)
    XCTAssertTrue(lost.texts.contains("2 of 2 diverged"))
  }

  func testEveryLowBitOptimizerHasBounds() {
    for entry in OptimizerEntry.all {
      XCTAssertEqual(entry.bounds == nil, entry.name == entry.fullPrecision, entry.name)
    }
  }
}
