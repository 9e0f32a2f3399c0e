/// Mean and spread of some values.
struct Spread: Encodable, Equatable {
  let mean: Double
  /// The standard deviation of the values that these are a sample of; 0 for a single one.
  let deviation: Double

  init(_ values: [Double]) {
    let mean = values.reduce(0, +) / Double(values.count)
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    self.mean = mean
    deviation = values.count > 1 ? (squares / Double(values.count - 1)).squareRoot() : 0
  }
}

/// What the runs of one optimizer on one task came to, next to those of its 32-bit partner.
struct StudyRow {
  let task: StudyTask
  let optimizer: OptimizerEntry
  let outcomes: [RunOutcome]
  /// Those of the 32-bit partner, seed by seed; nil if it was not run, or is this optimizer.
  let partner: [RunOutcome]?

  var metric: Spread { Spread(outcomes.map(task.metric.value)) }
  /// The worst of all seeds.
  var largestLoss: Double { outcomes.map(\.largestLoss).max()! }
  var stateBytes: Int { outcomes[0].stateBytes }
  var divergedCount: Int { outcomes.count(where: \.isDiverged) }

  /// By which share the mean of the metric is worse than the partner's.
  var excess: Double? {
    partner.map { task.metric.excess(metric.mean, over: Spread($0.map(task.metric.value)).mean) }
  }

  /// The same seed by seed: each pair of runs had the same start and the same data.
  var excesses: [Double] {
    zip(outcomes, partner ?? []).map { task.metric.excess(task.metric.value($0), over: task.metric.value($1)) }
  }

  /// In what the optimizer falls behind its partner; empty if it keeps up.
  var shortcomings: [StudyShortcoming] {
    guard let partner, let excess, let bounds = optimizer.bounds else { return [] }
    var found: [StudyShortcoming] = []
    // Written so that what is not a number does not keep up.
    if !(excess <= bounds.metric) { found.append(.metric(excess: excess, bound: bounds.metric)) }
    let diverged = zip(outcomes, partner).count { $0.isDiverged && !$1.isDiverged }
    if diverged > 0 { found.append(.diverged(diverged, of: outcomes.count)) }
    let limit = partner.map(\.largestLoss).max()!
    if let share = bounds.largestLoss, !(largestLoss <= limit * (1 + share)) {
      found.append(.largestLoss(largestLoss, partner: limit))
    }
    return found
  }
}

/// A way in which an optimizer falls behind 32 bits on a task.
enum StudyShortcoming: Equatable {
  case metric(excess: Double, bound: Double)
  case diverged(Int, of: Int)
  case largestLoss(Double, partner: Double)
}

/// All rows of a study, task by task.
struct StudySummary {
  let rows: [StudyRow]
  let seedCount: Int

  /// - Parameter outcomes: one for each of the plan's runs.
  init(_ plan: StudyPlan, _ outcomes: [RunOutcome]) {
    let finished = Array(zip(plan.runs, outcomes))
    func all(_ task: StudyTask, _ optimizer: String) -> [RunOutcome] {
      finished.filter { $0.0.task == task && $0.0.optimizer.name == optimizer }.map(\.1)
    }
    rows = plan.tasks.flatMap { task in
      plan.optimizers.map { entry in
        let partner = entry.name == entry.fullPrecision ? [] : all(task, entry.fullPrecision)
        return StudyRow(
          task: task, optimizer: entry, outcomes: all(task, entry.name), partner: partner.isEmpty ? nil : partner)
      }
    }
    seedCount = plan.seeds.count
  }

  var tasks: [StudyTask] { StudyTask.allCases.filter { task in rows.contains { $0.task == task } } }

  func rows(of task: StudyTask) -> [StudyRow] { rows.filter { $0.task == task } }

  var keepsUp: Bool { rows.allSatisfy(\.shortcomings.isEmpty) }
}
