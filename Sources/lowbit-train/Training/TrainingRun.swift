import LowBitOptimizers

/// One optimizer's way through a task: everything that changes from step to step is here.
final class TrainingRun {
  let entry: OptimizerEntry
  let task: any LearningTask
  let schedule: LearningSchedule
  let optimizer: LowBitOptimizer
  private(set) var step = 0
  private(set) var position: DataPosition
  private(set) var losses: [Double] = []
  /// Wall-clock time spent in steps.
  private(set) var seconds = 0.0
  private let tensors: [TensorUpdate]

  init(_ entry: OptimizerEntry, task: any LearningTask, steps: Int, seed: UInt64) {
    self.entry = entry
    self.task = task
    schedule = LearningSchedule(peak: entry.peakRate, steps: steps)
    optimizer = entry.make(entry.peakRate)
    position = DataPosition(seed: seed)
    tensors = task.parameters.parameters.map { parameter in
      TensorUpdate(
        ParameterKey(parameter.name), parameter.value, along: UnsafeBufferPointer(parameter.gradient),
        shape: parameter.shape)
    }
  }

  var isFinished: Bool { step >= schedule.steps }

  /// One step: loss and gradient of the next batch, then the optimizer.
  func advance() {
    let start = ContinuousClock.now
    losses.append(task.lossAndGradient(at: &position))
    task.clipGradient(to: 0.5)
    optimizer.learningRate = schedule.rate(step)
    optimizer.update(tensors)
    step += 1
    seconds += (ContinuousClock.now - start).seconds
  }

  /// Goes on where a run of the same settings was, whose parameters and optimizer this one has taken over.
  func resume(at step: Int, _ position: DataPosition, losses: [Double], seconds: Double) {
    precondition(
      losses.count == step && step <= schedule.steps, "\(step) of \(schedule.steps) steps, \(losses.count) losses")
    self.step = step
    self.position = position
    self.losses = losses
    self.seconds = seconds
  }

  /// The loss of recent steps; that of a single one says more about its batch than about the model.
  func recentLoss(_ count: Int) -> Double {
    let recent = losses.suffix(max(1, count))
    return recent.isEmpty ? .nan : recent.reduce(0, +) / Double(recent.count)
  }

  /// Checks the model on text it was not trained on, and sums up.
  func finish() -> TrainingResult {
    TrainingResult(
      optimizer: entry.name, fullPrecision: entry.fullPrecision, steps: step, losses: losses,
      finalTrainingLoss: recentLoss(max(10, step / 20)), finalValidationLoss: task.validationLoss(),
      stateBytes: optimizer.stateByteCount, parameterCount: task.parameters.count,
      secondsPerStep: step > 0 ? seconds / Double(step) : 0)
  }
}

/// What one run came to.
struct TrainingResult: Equatable {
  var optimizer: String
  var fullPrecision: String
  var steps: Int
  var losses: [Double]
  var finalTrainingLoss: Double
  var finalValidationLoss: Double
  var stateBytes: Int
  var parameterCount: Int
  var secondsPerStep: Double

  var stateBytesPerParameter: Double { Double(stateBytes) / Double(max(1, parameterCount)) }
}

extension Duration {
  var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
