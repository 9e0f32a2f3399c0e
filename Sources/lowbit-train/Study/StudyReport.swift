import Foundation
import ProgramSupport

/// A study's summary as text and as JSON.
struct StudyReport {
  let summary: StudySummary

  static let headings = [
    ["", "", "", "against", "", "largest", "state", "runs"],
    ["optimizer", "mean", "spread", "32-bit", "bound", "loss", "bytes", "diverged"],
  ]

  /// A table for each task.
  func lines() -> [String] {
    summary.tasks.flatMap { task in
      let table = TextTable(headings: Self.headings, rows: summary.rows(of: task).map(cells))
      return ["\(task.title): \(task.metric.title), \(summary.seedCount) seeds"] + table.lines() + [""]
    }
  }

  private func cells(_ row: StudyRow) -> [String] {
    [
      row.optimizer.name, shortLoss(row.metric.mean, 4), shortLoss(row.metric.deviation, 4),
      row.excess.map(Self.difference) ?? "-", row.optimizer.bounds.map { Self.percent($0.metric, 0) } ?? "-",
      shortLoss(row.largestLoss, 3), "\(row.stateBytes)", "\(row.divergedCount) of \(row.outcomes.count)",
    ]
  }

  /// A sentence for each bound that was missed, or one for all that were kept.
  func verdict() -> [String] {
    let complaints = summary.rows.flatMap { row in
      row.shortcomings.map { "\(row.optimizer.name) on \(row.task.rawValue): \(Self.sentence($0))" }
    }
    let compared = summary.rows.filter { $0.partner != nil && $0.optimizer.bounds != nil }
    let kept = compared.count(where: \.shortcomings.isEmpty)
    return complaints + ["\(kept) of \(compared.count) comparisons with 32 bits are within their bounds."]
  }

  private static func sentence(_ shortcoming: StudyShortcoming) -> String {
    switch shortcoming {
    case .metric(let excess, let bound): "\(difference(excess)) than in 32 bits; the bound is \(percent(bound, 0))."
    case .diverged(let count, let all): "\(count) of \(all) runs diverged that do not in 32 bits."
    case .largestLoss(let loss, let partner):
      "a loss of \(shortLoss(loss, 3)) after the warm-up; in 32 bits the largest is \(fixed(partner, 3))."
    }
  }

  private static func difference(_ excess: Double) -> String {
    guard excess.isFinite else { return "diverged" }
    let size = percent(abs(excess), 2)
    return size == percent(0, 2) ? size : "\(size) \(excess > 0 ? "worse" : "better")"
  }

  private static func percent(_ share: Double, _ decimals: Int) -> String { "\(fixed(share * 100, decimals)) %" }

  // MARK: - JSON

  private struct Row: Encodable {
    let task: String
    let optimizer: String
    let metric: StudyMetric
    let mean: Double
    let deviation: Double
    let values: [Double]
    let meanValidationLoss: Double
    let excessOver32Bit: Double?
    let bound: Double?
    let largestLoss: Double
    let stateBytes: Int
    let parameterCount: Int
    let divergedShare: Double
    let keepsUp: Bool
  }

  /// An array with one object for each optimizer and task.
  func json() throws -> Data {
    try resultJSON(
      summary.rows.map { row in
        Row(
          task: row.task.rawValue, optimizer: row.optimizer.name, metric: row.task.metric, mean: row.metric.mean,
          deviation: row.metric.deviation, values: row.outcomes.map(row.task.metric.value),
          meanValidationLoss: Spread(row.outcomes.map(\.validationLoss)).mean, excessOver32Bit: row.excess,
          bound: row.optimizer.bounds?.metric, largestLoss: row.largestLoss, stateBytes: row.stateBytes,
          parameterCount: row.outcomes[0].parameterCount,
          divergedShare: Double(row.divergedCount) / Double(row.outcomes.count), keepsUp: row.shortcomings.isEmpty)
      })
  }
}

/// A loss with a fixed count of decimals, or with its power of ten where a run that diverged has left a huge one.
func shortLoss(_ loss: Double, _ decimals: Int) -> String {
  abs(loss) < 10_000 ? fixed(loss, decimals) : String(format: "%.1e", loss)
}
