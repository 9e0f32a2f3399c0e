import Foundation
import ProgramSupport

/// The programs behind `--study`, `--ablation` and `--schemes`.
enum Study {
  /// Returns the exit status.
  static func run(_ options: StudyOptions) throws -> Int32 {
    if options.help {
      Terminal.line(StudyOptions.usage)
      return 0
    }
    let folder = try StudyFolder(path: options.folder)
    let material = try material(options)
    if let warning = program.debugBuildWarning { Terminal.line(warning) }
    Terminal.line("machine  \(Machine.processor), \(options.threads) runs at a time")
    Terminal.line("text     \(material.text.title), \(material.text.count) characters")
    Terminal.line("results  \(folder.url.path)")
    let jobs = StudyJobs(folder: folder, threads: options.threads, showProgress: Terminal.write)

    var status: Int32 = 0
    if options.study { status = try study(options, material, jobs) }
    if options.ablation { try ablation(options, material, jobs) }
    if options.schemes { try schemes(options, material, jobs) }
    return status
  }

  private static func material(_ options: StudyOptions) throws -> StudyMaterial {
    let text = try TrainingText.load(path: options.textPath, context: 2 * CharacterModelSizes(vocabulary: 0).context)
    return StudyMaterial(text: text, digits: try options.digitsPath.map { path in try DigitImages(path: path) })
  }

  private static func study(_ options: StudyOptions, _ material: StudyMaterial, _ jobs: StudyJobs) throws -> Int32 {
    let plan = StudyPlan(
      optimizers: options.optimizers.map { OptimizerEntry.named($0)! }, tasks: possible(options.tasks, material),
      seeds: options.seeds, length: options.length, material: material)
    let starts = FineTuningStarts(material, options.length)
    let summary = StudySummary(plan, try jobs.outcomes(plan.jobs(starts)))
    let report = StudyReport(summary: summary)
    Terminal.line()
    for line in report.lines() + report.verdict() { Terminal.line(line) }
    try write(report.json(), "study.json", jobs.folder)
    try write(Data(StudyChart(summary: summary).svg().utf8), "study.svg", jobs.folder)
    return summary.keepsUp ? 0 : 1
  }

  private static func ablation(_ options: StudyOptions, _ material: StudyMaterial, _ jobs: StudyJobs) throws {
    let plan = AblationPlan(seeds: options.ablationSeeds, length: options.length, material: material)
    let report = AblationReport(plan, try jobs.outcomes(plan.jobs()))
    Terminal.line()
    for line in report.lines() { Terminal.line(line) }
    try write(report.json(), "ablation.json", jobs.folder)
    try write(Data(report.svg().utf8), "ablation.svg", jobs.folder)
  }

  private static func schemes(_ options: StudyOptions, _ material: StudyMaterial, _ jobs: StudyJobs) throws {
    let tasks = possible(SchemesPlan.tasks.filter(options.tasks.contains), material)
    guard !tasks.isEmpty else { throw UsageProblem("--schemes goes with \(SchemesPlan.taskNames)") }
    let plan = SchemesPlan(
      only: options.schemeNames, tasks: tasks, seeds: options.schemeSeeds, rateFactor: options.rateFactor,
      length: options.length, material: material)
    let report = SchemesReport(plan, try jobs.outcomes(plan.jobs()))
    Terminal.line()
    for line in report.lines() { Terminal.line(line) }
    try write(report.json(), "schemes\(plan.suffix).json", jobs.folder)
  }

  /// The tasks for which there are data.
  private static func possible(_ tasks: [StudyTask], _ material: StudyMaterial) -> [StudyTask] {
    guard material.digits == nil, tasks.contains(.digits) else { return tasks }
    Terminal.line("left out: \(StudyTask.digits.rawValue), for which --digits FILE names the images")
    return tasks.filter { $0 != .digits }
  }

  private static func write(_ data: Data, _ name: String, _ folder: StudyFolder) throws {
    Terminal.line("wrote    \(try folder.write(data, name: name))")
  }
}
