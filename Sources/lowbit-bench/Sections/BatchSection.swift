import ProgramSupport

extension Plan {
  /// Sizes of the batch's tensors: 1,000 to 5,000 elements, the same in every run.
  var batchSizes: [Int] {
    (0..<batchTensorCount).map { 1000 + Int(randomBits(at: $0, stream: 5) % 4001) }
  }

  /// Many small tensors in one call, against one tensor with as many parameters.
  func batch() -> SectionResult {
    let sizes = batchSizes
    let memory = TrainingMemory(count: sizes.reduce(0, +), threads: threads)
    var rows: [MeasuredRow] = []
    var lines: [[String]] = []
    for family in families(or: ["Adam32"]) {
      Terminal.progress("measuring the family of \(family.partner.name) on \(sizes.count) tensors")
      // The odd ones are the batches.
      let runners = family.subjects.flatMap { subject in
        [
          StepRunner(
            subject, label: "\(subject.name), one tensor", memory: memory, kernels: kernels, threads: threads),
          StepRunner(
            subject, label: "\(subject.name), \(sizes.count) tensors", memory: memory, sizes: sizes, kernels: kernels,
            threads: threads),
        ]
      }
      let measurement = measure(runners.map(\.body))
      for index in runners.indices where family.shown.contains(family.subjects[index / 2].name) {
        let row = runners[index].row(.batch, measurement, index: index, partner: index % 2)
        let ratioToOne = measurement.ratios(of: index, to: index / 2 * 2).median
        rows.append(row)
        lines.append([
          row.name, fixed(row.stateBytesPerParameter, 2), fixed(row.nanosecondsPerParameter, 3),
          fixed(ratioToOne, 3, "x"), fixed(row.ratioToFloat32, 3, "x"), percent(row.spread),
        ])
      }
    }
    let table = TextTable(
      headings: [["optimizer", "state bytes/param", "ns/param", "vs one tensor", "vs float32", "spread"]], rows: lines)
    return SectionResult(
      title: "Batch: \(memory.count) parameters in one call, kernel set \(kernels.name), \(threadsText(threads))",
      table: table, rows: rows)
  }
}
