import ProgramSupport

extension Plan {
  /// Every optimizer against its float32 partner.
  func steps(copyBandwidth: Double) -> SectionResult {
    let memory = TrainingMemory(count: elements, threads: threads)
    let rows = families().flatMap { family in
      Terminal.progress("measuring the family of \(family.partner.name)")
      return measure(family, .steps, memory: memory)
    }
    let table = TextTable(
      headings: [
        ["", "state", "", "vs", "", "share", "spread", "spread"],
        ["optimizer", "bytes/param", "ns/param", "float32", "GB/s", "of copy", "of time", "of ratio"],
      ],
      rows: rows.map {
        [
          $0.name, fixed($0.stateBytesPerParameter, 2), fixed($0.nanosecondsPerParameter, 3),
          fixed($0.ratioToFloat32, 3, "x"), fixed($0.gigabytesPerSecond, 1),
          percent($0.gigabytesPerSecond.map { $0 / copyBandwidth }), percent($0.spread), percent($0.ratioSpread),
        ]
      })
    return SectionResult(
      title: "Steps: \(power(elements)) parameters, kernel set \(kernels.name), \(threadsText(threads))",
      table: table, rows: rows)
  }
}
