import LowBitOptimizers
import ProgramSupport

/// One training run of a study, from the first step to the check at the end, on one thread.
struct StudyRun {
  let task: any LearningTask
  let optimizer: any StudyOptimizer
  let schedule: LearningSchedule
  let seed: UInt64
  /// The loss of guessing by frequency.
  let guessingLoss: Double

  func outcome() -> RunOutcome {
    let tensors = task.parameters.parameters.map { parameter in
      TensorUpdate(
        ParameterKey(parameter.name), parameter.value, along: UnsafeBufferPointer(parameter.gradient),
        shape: parameter.shape)
    }
    var position = DataPosition(seed: seed)
    var losses: [Double] = []
    let start = ContinuousClock.now
    for step in 0..<schedule.steps {
      losses.append(task.lossAndGradient(at: &position))
      // Nothing comes back from here, and the time is better spent on another run.
      guard losses[step].isFinite else { break }
      task.clipGradient(to: 0.5)
      optimizer.learningRate = schedule.rate(step)
      optimizer.move(tensors)
      if let embedding = task.stableEmbedding { optimizer.move(embedding) }
    }
    let isWhole = losses.count == schedule.steps && losses[losses.count - 1].isFinite
    return RunOutcome(
      steps: losses.count, losses: averages(losses, columns: RunOutcome.curvePoints), startLoss: losses[0],
      // Comparisons with NaN are false: it has to be looked for.
      largestLoss: isWhole ? losses.dropFirst(schedule.warmUp).max() ?? .nan : .infinity,
      validationLoss: isWhole ? task.validationLoss() : .infinity,
      validationAccuracy: (task as? any ClassificationTask)?.validationAccuracy(), guessingLoss: guessingLoss,
      stateBytes: optimizer.stateByteCount, parameterCount: task.parameterCount,
      seconds: (ContinuousClock.now - start).seconds)
  }
}

/// What one run came to. Everything but `seconds` is the same to the last digit whenever it is repeated.
struct RunOutcome: Codable, Equatable {
  static let curvePoints = 60

  /// Fewer than planned when the loss was no longer a number.
  var steps: Int
  /// The training loss along the way: means of equal shares of the steps.
  var losses: [Double]
  /// Of the first batch, before anything was learned.
  var startLoss: Double
  /// The largest loss of a batch after the warm-up.
  var largestLoss: Double
  var validationLoss: Double
  /// Nil where answers are not simply right or wrong.
  var validationAccuracy: Double?
  var guessingLoss: Double
  var stateBytes: Int
  var parameterCount: Int
  var seconds: Double

  /// Whether the run came to nothing: a loss that is not a number, a batch after the warm-up that went worse than guessing
  /// and than the first batch of the untrained model, or an end no better than guessing by frequency.
  var isDiverged: Bool { !(largestLoss <= max(startLoss, guessingLoss) && validationLoss < guessingLoss) }
}
