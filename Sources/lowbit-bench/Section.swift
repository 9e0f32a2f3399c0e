import ProgramSupport

/// The parts of the report, in their order.
enum Section: String, CaseIterable, Sendable {
  case roof, steps, kernels, stages, threads, sizes, batch

  static var names: String { allCases.map(\.rawValue).joined(separator: ",") }
}

/// What a section found: a table for people and rows for scripts.
struct SectionResult {
  let title: String
  var remark: String?
  let table: TextTable
  let rows: [MeasuredRow]
}
