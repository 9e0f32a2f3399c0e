import ProgramSupport

/// Which runs a study consists of.
struct StudyPlan {
  let optimizers: [OptimizerEntry]
  let tasks: [StudyTask]
  let seeds: [UInt64]
  let length: StudyLength
  let material: StudyMaterial

  /// A run, by its place in the study.
  struct Run {
    let task: StudyTask
    let optimizer: OptimizerEntry
    let seed: UInt64
  }

  /// Task by task, so that an interrupted study has finished some of them; the optimizers of a seed together.
  var runs: [Run] {
    tasks.flatMap { task in
      seeds.flatMap { seed in optimizers.map { Run(task: task, optimizer: $0, seed: seed) } }
    }
  }

  /// - Parameter starts: what to fine-tune.
  func jobs(_ starts: FineTuningStarts) -> [StudyJob] {
    let (material, length) = (material, length)
    let data = Dictionary(uniqueKeysWithValues: tasks.map { ($0, material.fingerprint($0)) })
    let guesses = Dictionary(uniqueKeysWithValues: tasks.map { ($0, material.guessingLoss($0)) })
    return runs.map { run in
      let (task, entry) = (run.task, run.optimizer)
      let steps = task.steps(length)
      let rate = entry.peakRate * task.rateFactor
      return StudyJob(
        name: "\(task.rawValue).\(steps)-steps.\(entry.name).seed\(run.seed)",
        setting: "rate \(rate), \(task == .fineTuning ? "\(starts), " : "")\(data[task]!)",
        kind: "\(task) \(entry.name)"
      ) {
        let start = task == .fineTuning ? starts.values(seed: run.seed) : []
        let optimizer = entry.make(rate)
        optimizer.threadCount = 1
        let training = StudyRun(
          task: material.task(task, seed: run.seed, start: start), optimizer: optimizer,
          schedule: LearningSchedule(peak: rate, steps: steps), seed: run.seed, guessingLoss: guesses[task]!)
        return training.outcome()
      }
    }
  }
}
