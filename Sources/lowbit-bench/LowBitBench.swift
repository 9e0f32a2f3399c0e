import BlockQuantization
import Foundation

/// Measures how long the optimizers take.
@main
struct LowBitBench {
  static func main() {
    do {
      let options = try Options(Array(CommandLine.arguments.dropFirst()))
      if options.help {
        Terminal.line(Options.usage)
      } else {
        try run(options, Plan(options))
      }
    } catch let problem as Options.Problem {
      Terminal.complain("\(problem). Try --help.")
      exit(Options.usageStatus)
    } catch {
      Terminal.complain("\(error)")
      exit(OutputFile.failureStatus)
    }
  }

  private static func run(_ options: Options, _ plan: Plan) throws {
    let jsonFile = try options.jsonPath.map(OutputFile.init)
    let svgFile = try options.svgPath.map(OutputFile.init)
    for line in Report.header(plan) { Terminal.line(line) }
    var rows: [MeasuredRow] = []
    plan.measure(options.sections) { result in
      Terminal.clearProgress()
      // A filter may leave nothing of a section.
      guard !result.rows.isEmpty else { return }
      for line in Report.lines(result) { Terminal.line(line) }
      rows += result.rows
    }
    Terminal.clearProgress()
    try jsonFile?.write(MeasuredRow.json(rows))
    try svgFile?.write(Data(Report.chart(rows, plan).svg().utf8))
    Terminal.line()
    Terminal.line("\(Report.summary(rows))To repeat: \(options.command)")
  }
}

extension Plan {
  /// Measures section by section, and hands over each result when it is there.
  func measure(_ sections: [Section], _ finish: (SectionResult) -> Void) {
    // The steps are compared with it, whether it is shown or not.
    let roof = sections.contains(.roof) || sections.contains(.steps) ? RoofSection(self) : nil
    for section in sections {
      switch section {
      case .roof: finish(roof!.result)
      case .steps: finish(steps(copyBandwidth: roof!.copyBandwidth))
      case .kernels: finish(kernelSetComparison())
      case .stages: finish(stages())
      case .threads: finish(threadScaling())
      case .sizes: finish(sizeScaling())
      case .batch: finish(batch())
      }
    }
  }
}
