import LowBitOptimizers
import ProgramSupport

let program = Program(name: "lowbit-train", usageStatus: 2, failureStatus: 2)

/// Trains one small model under several optimizers and compares them.
@main
struct LowBitTrain {
  static func main() {
    program.run { arguments in
      if StudyOptions.areMeant(by: arguments) { return try Study.run(StudyOptions(arguments)) }
      let options = try Options(arguments)
      if !options.help { return try compare(options) }
      Terminal.line(Options.usage)
      return 0
    }
  }

  private static func compare(_ options: Options) throws -> Int32 {
    var sizes = CharacterModelSizes(vocabulary: 0)
    let text = try TrainingText.load(path: options.textPath, context: sizes.context)
    sizes.vocabulary = text.vocabulary.count
    // Opened before the training, so that a wrong path does not cost a minute.
    let files = try [options.jsonPath, options.svgPath].map { try $0.map(OutputFile.init) }
    let folders = try options.optimizers.map { try options.runFolder($0, text, sizes) }

    let results = try options.optimizers.enumerated().map { index, name in
      let task = CharacterTask(text, sizes: sizes, seed: options.seed)
      if index == 0 { printHeader(options, text, task) }
      return try train(OptimizerEntry.named(name)!, task, options, folders[index])
    }

    Terminal.line()
    for line in ResultTable(results: results, unicode: Terminal.showsUnicode()).lines() { Terminal.line(line) }
    Terminal.line()
    try files[0]?.write(ResultFile.json(results))
    let title = "Character model on \(text.title), \(options.stepCount) steps, seed \(options.seed)"
    try files[1]?.write(LossChart(title: title, results: results).svg())

    let verdict = Verdict(results)
    for complaint in verdict.complaints { Terminal.line(complaint) }
    Terminal.line("\(verdict.summary) To repeat: \(options.command)")
    return verdict.exitCode
  }

  private static func train(
    _ entry: OptimizerEntry, _ task: CharacterTask, _ options: Options, _ folder: RunFolder?
  ) throws -> TrainingResult {
    let run = TrainingRun(entry, task: task, steps: options.stepCount, seed: options.seed)
    if let folder, try folder.restore(run) {
      Terminal.line("\(entry.name) continues after step \(run.step) of \(options.stepCount)")
    }
    var progress = ProgressLine(optimizer: entry.name, steps: options.stepCount, tokensPerStep: task.tokensPerStep)
    while !run.isFinished {
      run.advance()
      progress.update(step: run.step, loss: run.recentLoss(20), seconds: run.seconds)
      if let folder, run.isFinished || run.step % options.stepsPerSave == 0 { try folder.save(run) }
    }
    progress.clear()
    return run.finish()
  }

  private static func printHeader(_ options: Options, _ text: TrainingText, _ task: CharacterTask) {
    let sizes = task.model.sizes
    if let warning = program.debugBuildWarning { Terminal.line(warning) }
    Terminal.line("machine  \(Machine.processor), \(Machine.threads) threads")
    Terminal.line(
      "model    \(task.parameters.count) parameters in \(task.parameters.parameters.count) tensors, "
        + "width \(sizes.width), \(sizes.blocks) blocks, context \(sizes.context)")
    Terminal.line(
      "text     \(text.title), \(text.count) characters, \(text.vocabulary.count) different")
    Terminal.line(
      "to beat  a loss of \(fixed(unigramEntropy(text.validation), 3)), from guessing by letter frequency alone")
    Terminal.line(
      "runs     \(options.stepCount) steps of \(task.tokensPerStep) characters for each optimizer, "
        + "seed \(options.seed)")
    Terminal.line()
  }
}
