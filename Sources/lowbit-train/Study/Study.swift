import Foundation
import ProgramSupport

/// The programs behind `--study` and `--ablation`.
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
    return status
  }

  private static func material(_ options: StudyOptions) throws -> StudyMaterial {
    let text = try TrainingText.load(path: options.textPath, context: 2 * CharacterModelSizes(vocabulary: 0).context)
    return StudyMaterial(text: text, digits: try options.digitsPath.map { path in try DigitImages(path: path) })
  }

  private static func study(_ options: StudyOptions, _ material: StudyMaterial, _ jobs: StudyJobs) throws -> Int32 {
    var tasks = options.tasks
    if material.digits == nil, tasks.contains(.digits) {
      Terminal.line("left out: \(StudyTask.digits.rawValue), for which --digits FILE names the images")
      tasks.removeAll { $0 == .digits }
    }
    let plan = StudyPlan(
      optimizers: options.optimizers.map { OptimizerEntry.named($0)! }, tasks: tasks, seeds: options.seeds,
      length: options.length, material: material)
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

  private static func write(_ data: Data, _ name: String, _ folder: StudyFolder) throws {
    Terminal.line("wrote    \(try folder.write(data, name: name))")
  }
}
