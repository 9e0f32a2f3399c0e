import Foundation
import ProgramSupport

/// What the runs of one scheme on one task came to, next to those of Adam32 with the same seeds.
struct SchemeCell {
  let task: StudyTask
  let seeds: [UInt64]
  let outcomes: [RunOutcome]
  let references: [RunOutcome]

  /// By which share the validation loss is above that of Adam32, seed by seed.
  ///
  /// The loss on every task: the accuracy of few images is too coarse.
  var excesses: [Double] { zip(outcomes, references).map { $0.validationLoss / $1.validationLoss - 1 } }
  var divergedCount: Int { outcomes.count(where: \.isDiverged) }
}

/// The comparison of moment schemes as text and as JSON.
struct SchemesReport {
  struct Row {
    let scheme: MomentScheme
    let cells: [SchemeCell]

    /// The bytes of the state by the number of parameters where there are most, so that small tensors count least.
    var bytesPerParameter: Double {
      let largest = cells.map { $0.outcomes[0] }.max { $0.parameterCount < $1.parameterCount }!
      return Double(largest.stateBytes) / Double(largest.parameterCount)
    }
  }

  let tasks: [StudyTask]
  let seeds: [UInt64]
  let rows: [Row]

  /// - Parameter outcomes: one for each of the plan's runs.
  init(_ plan: SchemesPlan, _ outcomes: [RunOutcome]) {
    let finished = Array(zip(plan.runs, outcomes))
    func own(_ scheme: MomentScheme, _ task: StudyTask) -> [RunOutcome] {
      finished.filter { $0.0.scheme.name == scheme.name && $0.0.task == task }.map(\.1)
    }
    tasks = plan.tasks
    seeds = plan.seeds
    rows = plan.schemes.map { scheme in
      Row(
        scheme: scheme,
        cells: plan.tasks.map { task in
          SchemeCell(
            task: task, seeds: plan.seeds, outcomes: own(scheme, task), references: own(.reference, task))
        })
    }
  }

  /// A table for each group.
  func lines() -> [String] {
    let groups = MomentScheme.Group.allCases.filter { group in rows.contains { $0.scheme.group == group } }
    let tables = groups.map { group in
      let table = TextTable(
        headings: [["", "bytes a"] + tasks.map { _ in "" }, ["", "parameter"] + tasks.map(\.rawValue)],
        rows: rows.filter { $0.scheme.group == group }.map { row in
          [row.scheme.title, fixed(row.bytesPerParameter, 3)] + row.cells.map(Self.text)
        })
      return [group.title] + table.lines() + [""]
    }
    return [
      "Validation loss above that of Adam32 with the same seed, in percent: mean and standard deviation, "
        + "\(seeds.count) seeds", "",
    ] + tables.flatMap(\.self)
  }

  private static func text(_ cell: SchemeCell) -> String {
    if cell.divergedCount > 0 { return "\(cell.divergedCount) of \(cell.seeds.count) diverged" }
    let spread = Spread(cell.excesses)
    return "\(spread.mean < 0 ? "" : "+")\(fixed(100 * spread.mean, 2)) ± \(fixed(100 * spread.deviation, 2))"
  }

  // MARK: - JSON

  private struct Entry: Encodable {
    let scheme: String
    let group: String
    let beta1: Float
    let task: String
    let seeds: [UInt64]
    let validationLosses: [Double]
    let excessOver32Bit: Spread
    let divergedCount: Int
    let stateBytes: Int
    let parameterCount: Int
  }

  /// An array with one object for each scheme and task.
  func json() throws -> Data {
    try resultJSON(
      rows.flatMap { row in
        row.cells.map { cell in
          Entry(
            scheme: row.scheme.name, group: row.scheme.group.rawValue, beta1: row.scheme.beta1,
            task: cell.task.rawValue, seeds: cell.seeds, validationLosses: cell.outcomes.map(\.validationLoss),
            excessOver32Bit: Spread(cell.excesses), divergedCount: cell.divergedCount,
            stateBytes: cell.outcomes[0].stateBytes, parameterCount: cell.outcomes[0].parameterCount)
        }
      })
  }
}
