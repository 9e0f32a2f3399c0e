import ProgramSupport

extension Plan {
  /// 1, 2, … up to all threads; powers of two on large machines.
  var threadCounts: [Int] {
    (1...threads).filter { threads <= 8 || $0 == threads || $0 & ($0 - 1) == 0 }
  }

  /// The same step on more and more threads.
  func threadScaling() -> SectionResult {
    let memory = TrainingMemory(count: elements, threads: threads)
    let rows = families(or: ["Adam32"]).flatMap { family in
      threadCounts.flatMap { count in
        Terminal.progress("measuring the family of \(family.partner.name) on \(threadsText(count))")
        return measure(family, .threads, memory: memory, threads: count)
      }
    }
    let table = TextTable(
      headings: [["optimizer", "threads", "ns/param", "speed-up", "vs float32", "GB/s", "spread"]],
      rows: rows.map { row in
        let alone = rows.first { $0.name == row.name }!.nanosecondsPerParameter
        return [
          row.name, "\(row.threads)", fixed(row.nanosecondsPerParameter, 3),
          fixed(alone / row.nanosecondsPerParameter, 2, "x"), fixed(row.ratioToFloat32, 3, "x"),
          fixed(row.gigabytesPerSecond, 1), percent(row.spread),
        ]
      })
    return SectionResult(
      title: "Threads: \(power(elements)) parameters, kernel set \(kernels.name)", table: table, rows: rows)
  }

  /// From tensors that fit a core's cache to those that only fit memory.
  func sizeScaling() -> SectionResult {
    let rows = sizes.flatMap { size in
      let memory = TrainingMemory(count: size, threads: threads)
      return families(or: ["Adam32"]).flatMap { family in
        Terminal.progress("measuring the family of \(family.partner.name) on \(power(size)) parameters")
        return measure(family, .sizes, memory: memory)
      }
    }
    let table = TextTable(
      headings: [["optimizer", "parameters", "ns/param", "vs float32", "GB/s", "spread"]],
      rows: rows.map {
        [
          $0.name, power($0.elements), fixed($0.nanosecondsPerParameter, 3), fixed($0.ratioToFloat32, 3, "x"),
          fixed($0.gigabytesPerSecond, 1), percent($0.spread),
        ]
      })
    return SectionResult(
      title: "Sizes: one tensor, kernel set \(kernels.name), up to \(threadsText(threads))", table: table, rows: rows)
  }
}
