import ProgramSupport

extension Plan {
  /// The parts of a step by themselves, on data that stays in the cache.
  func stages() -> SectionResult {
    let memory = StageMemory()
    var rows: [MeasuredRow] = []
    var lines: [[String]] = []
    for stage in Stage.allCases where isShown(stage.rawValue) {
      Terminal.progress("measuring the stage \(stage.rawValue)")
      let measurement = measure(kernelSets.map { memory.body(of: stage, $0) })
      let samples = kernelSets.indices.map { measurement.sample(of: $0) }
      rows += zip(kernelSets, samples).map { set, time in
        MeasuredRow(
          section: .stages, name: stage.rawValue, kernels: set.name, threads: 1, elements: memory.count,
          nanosecondsPerParameter: time.median, spread: time.spread)
      }
      lines.append(
        [stage.rawValue] + samples.map { fixed($0.median, 3) } + [percent(samples.map(\.spread).max())])
    }
    let table = TextTable(headings: [["ns per value"] + kernelSets.map(\.name) + ["largest spread"]], rows: lines)
    return SectionResult(
      title: "Stages in the cache: \(memory.count) values in blocks of \(memory.blockSize), 1 thread",
      table: table, rows: rows)
  }
}
