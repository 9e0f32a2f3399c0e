import LowBitOptimizers

/// Which runs the comparison of moment schemes consists of.
struct SchemesPlan {
  let schemes: [MomentScheme]
  let tasks: [StudyTask]
  let seeds: [UInt64]
  /// On the learning rates of all tasks. Where Adam32 learns best, a scheme cannot gain by steps that are too large.
  let rateFactor: Float
  let length: StudyLength
  let material: StudyMaterial

  /// - Parameter names: of schemes; nil for all.
  init(
    only names: [String]? = nil, tasks: [StudyTask], seeds: [UInt64], rateFactor: Float = 1, length: StudyLength,
    material: StudyMaterial
  ) {
    schemes = MomentScheme.all.filter { $0.name == MomentScheme.reference.name || names?.contains($0.name) ?? true }
    self.tasks = tasks
    self.seeds = seeds
    self.rateFactor = rateFactor
    self.length = length
    self.material = material
  }

  /// What tells the files of this learning rate from those of others.
  var suffix: String { rateFactor == 1 ? "" : ".rate-\(rateFactor)" }

  /// Where every weight has low-bit state.
  static let tasks: [StudyTask] = [.charactersPlain, .wordsPlain, .digits]
  static var taskNames: String { tasks.map(\.rawValue).joined(separator: ", ") }

  /// A run, by its place in the comparison.
  struct Run {
    let scheme: MomentScheme
    let task: StudyTask
    let seed: UInt64
  }

  /// First those of 4 bits; seed by seed, so that an interrupted comparison has all schemes of some of them.
  var runs: [Run] {
    [schemes.filter { $0.group != .momentum }, schemes.filter { $0.group == .momentum }].flatMap { schemes in
      seeds.flatMap { seed in
        tasks.flatMap { task in schemes.map { Run(scheme: $0, task: task, seed: seed) } }
      }
    }
  }

  func jobs() -> [StudyJob] {
    let (material, rateFactor) = (material, rateFactor)
    let data = Dictionary(uniqueKeysWithValues: tasks.map { ($0, material.fingerprint($0)) })
    let guesses = Dictionary(uniqueKeysWithValues: tasks.map { ($0, material.guessingLoss($0)) })
    return runs.map { run in
      let steps = run.task.steps(length) / 2
      let rate = OptimizerEntry.named("Adam32")!.peakRate * run.task.rateFactor * run.scheme.rateFactor * rateFactor
      return StudyJob(
        name: "schemes.\(run.task.rawValue).\(steps)-steps\(suffix).\(run.scheme.name).seed\(run.seed)",
        setting: "beta1 \(run.scheme.beta1), rate \(rate), \(data[run.task]!)",
        kind: "\(run.task) \(run.scheme.name)"
      ) {
        let training = StudyRun(
          task: material.task(run.task, seed: run.seed), optimizer: run.scheme.make(run.seed),
          schedule: LearningSchedule(peak: rate, steps: steps), seed: run.seed, guessingLoss: guesses[run.task]!)
        return training.outcome()
      }
    }
  }
}
