import BlockQuantization
import ProgramSupport

/// The exit statuses are those of sysexits.h.
let program = Program(name: "lowbit-bench", usageStatus: 64, failureStatus: 73)

/// Measures how long the optimizers take.
@main
struct LowBitBench {
  static func main() {
    program.run { arguments in
      let options = try Options(arguments)
      if options.help {
        Terminal.line(Options.usage)
      } else {
        try run(options, Plan(options))
      }
      return 0
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
    try jsonFile?.write(resultJSON(rows))
    try svgFile?.write(Report.chart(rows, plan).svg())
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
