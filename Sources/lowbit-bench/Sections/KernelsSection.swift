import ProgramSupport

extension Plan {
  /// The same steps under each kernel set that this CPU can run.
  func kernelSetComparison() -> SectionResult {
    let memory = TrainingMemory(count: elements, threads: threads)
    let rows = kernelSets.flatMap { set in
      families(or: ["Adam32", "Momentum32"]).flatMap { family in
        Terminal.progress("measuring the family of \(family.partner.name) with the kernel set \(set.name)")
        return measure(family, .kernels, memory: memory, kernels: set)
      }
    }
    let table = TextTable(
      headings: [["optimizer", "kernel set", "ns/param", "vs float32", "GB/s", "spread"]],
      rows: rows.map {
        [
          $0.name, $0.kernels, fixed($0.nanosecondsPerParameter, 3), fixed($0.ratioToFloat32, 3, "x"),
          fixed($0.gigabytesPerSecond, 1), percent($0.spread),
        ]
      })
    return SectionResult(
      title: "Kernel sets: \(power(elements)) parameters, \(threadsText(threads))", table: table, rows: rows)
  }
}
