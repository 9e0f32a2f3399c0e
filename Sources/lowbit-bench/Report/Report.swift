import BlockQuantization
import ProgramSupport
import TileKernels

/// The report's words around the tables.
enum Report {
  /// What the numbers depend on.
  static func header(_ plan: Plan) -> [String] {
    var lines: [String] = []
    if let warning = program.debugBuildWarning { lines.append(warning) }
    // Half a core is what an idle desktop shows; the program's own build counts too.
    if Machine.load > 0.5 {
      lines.append("*** BUSY: load \(fixed(Machine.load, 1)) in the last minute, builds included: expect spreads ***")
    }
    let available = KernelSet.available.map(\.name).joined(separator: ", ")
    return lines + [
      "machine  \(Machine.processor), \(threadsText(Machine.threads))",
      "kernels  \(plan.kernels.name) (this machine can run \(available))",
      "build    \(Machine.isDebugBuild ? "debug" : "release")",
      "runs     \(power(plan.elements)) parameters, \(threadsText(plan.threads)), median of \(plan.rounds) rounds",
    ]
  }

  static func lines(_ result: SectionResult) -> [String] {
    ["", result.title] + (result.remark.map { [$0] } ?? []) + [""] + result.table.lines().map { "  " + $0 }
  }

  static func chart(_ rows: [MeasuredRow], _ plan: Plan) -> BarChart {
    BarChart(
      title: "Time of a step: \(power(plan.elements)) parameters",
      subtitle: "\(Machine.processor), \(threadsText(plan.threads)), kernel set \(plan.kernels.name), median of "
        + "\(plan.rounds) rounds" + (Machine.isDebugBuild ? ", DEBUG BUILD" : ""),
      rows: rows.filter { $0.section == .steps })
  }

  /// What low bits change, and by how much; empty when that was not measured.
  static func summary(_ rows: [MeasuredRow]) -> String {
    let sentences = rows.filter { $0.section == .steps && $0.float32Nanoseconds != nil }.compactMap { row in
      let subject = Subject.all.first { $0.name == row.name }
      guard let subject, !subject.isPartner, let ratio = row.ratioToFloat32 else { return String?.none }
      return "\(row.name) takes \(fixed(ratio, 2)) times as long as \(subject.partner), with "
        + "\(fixed(row.stateBytesPerParameter, 2)) bytes of state per parameter.\n"
    }
    return sentences.joined()
  }
}
