/// Which runs the ablation consists of: the word model with every format and embedding, over a grid of hyperparameters.
///
/// After table 3 of "8-bit Optimizers via Block-wise Quantization" (Dettmers et al.), whose grid varies ε and β as well.
struct AblationPlan {
  let seeds: [UInt64]
  let length: StudyLength
  let material: StudyMaterial

  /// A run, by its place in the ablation.
  struct Run {
    let format: AblationFormat
    let embedding: TokenEmbedding
    let setting: AdamSetting
    let seed: UInt64
  }

  static let settings: [AdamSetting] = [Float(0.999), 0.99, 0.98].flatMap { beta2 in
    [Float(1e-8), 1e-7, 1e-6].map { AdamSetting(beta2: beta2, epsilon: $0) }
  }

  var runs: [Run] {
    AblationFormat.allCases.flatMap { format in
      [TokenEmbedding.plain, .stable].flatMap { embedding in
        Self.settings.flatMap { setting in
          seeds.map { Run(format: format, embedding: embedding, setting: setting, seed: $0) }
        }
      }
    }
  }

  func jobs() -> [StudyJob] {
    let (material, task) = (material, StudyTask.wordsPlain)
    let (data, guess) = (material.fingerprint(task), material.guessingLoss(task))
    let steps = task.steps(length) / 2
    let rate = OptimizerEntry.named("Adam32")!.peakRate * task.rateFactor
    return runs.map { run in
      let (beta2, epsilon) = (run.setting.beta2, run.setting.epsilon)
      return StudyJob(
        name: "ablation.\(steps)-steps.\(run.format.rawValue).\(run.embedding.rawValue)"
          + ".beta2-\(beta2).epsilon-\(epsilon).seed\(run.seed)",
        setting: "beta1 \(run.setting.beta1), rate \(rate), \(data)", kind: "\(run.format) \(run.embedding)"
      ) {
        let training = StudyRun(
          task: material.words(run.embedding, seed: run.seed), optimizer: run.format.optimizer(run.setting),
          schedule: LearningSchedule(peak: rate, steps: steps), seed: run.seed, guessingLoss: guess)
        return training.outcome()
      }
    }
  }
}
