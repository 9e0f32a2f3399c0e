import ProgramSupport

/// How fast this machine's memory is.
struct RoofSection {
  let result: SectionResult
  /// What the steps are compared with, in GB/s.
  let copyBandwidth: Double

  init(_ plan: Plan) {
    Terminal.progress("measuring memory")
    let bandwidth = Bandwidth(arrayByteCount: plan.roofArrayByteCount, threads: plan.threads)
    let bodies: [(name: String, bytes: Double, run: () -> Void)] = [
      ("memory copy", 8, bandwidth.copy), ("memory read", 4, bandwidth.read),
      ("update in place", 8, bandwidth.updateInPlace),
    ]
    let measurement = plan.measure(bodies.map { TimedBody(count: bandwidth.elements, run: $0.run) })
    let rows = bodies.enumerated().map { index, body in
      let time = measurement.sample(of: index)
      return MeasuredRow(
        section: .roof, name: body.name, kernels: "none", threads: plan.threads, elements: bandwidth.elements,
        nanosecondsPerParameter: time.median, trafficBytesPerParameter: body.bytes, spread: time.spread)
    }
    copyBandwidth = rows[0].gigabytesPerSecond!
    let table = TextTable(
      headings: [["memory", "GB/s", "bytes/float", "ns/float", "spread"]],
      rows: rows.map {
        [
          $0.name, fixed($0.gigabytesPerSecond, 1), fixed($0.trafficBytesPerParameter, 0),
          fixed($0.nanosecondsPerParameter, 3), percent($0.spread),
        ]
      })
    let size = plan.roofArrayByteCount >> 20
    result = SectionResult(
      title: "Roof: plain memory traffic, arrays of \(size) MiB, \(threadsText(plan.threads))",
      remark: "A step updates in place, which can be faster than a copy: its share of the copy may pass 100 %.",
      table: table, rows: rows)
  }
}

func threadsText(_ count: Int) -> String { count == 1 ? "1 thread" : "\(count) threads" }
