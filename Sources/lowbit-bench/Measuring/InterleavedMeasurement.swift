import Dispatch

/// Something to time.
struct TimedBody {
  /// Parameters or values that a run handles.
  let count: Int
  let run: () -> Void
}

/// The times of several bodies that ran in turns, A B A B and so on: a machine that is slow for a while is slow for all.
struct InterleavedMeasurement {
  /// Nanoseconds per parameter, by body and round.
  let times: [[Double]]

  /// - Parameter leastSampleTime: nanoseconds that a sample takes at least; quick bodies are repeated for it.
  init(_ bodies: [TimedBody], rounds: Int, leastSampleTime: Double) {
    // This also warms up: the first step makes the state, and the second is the first that finds it in memory.
    let repetitions = bodies.map { body in
      body.run()
      return Self.repetitions(of: body, leastSampleTime: leastSampleTime)
    }
    var times = bodies.map { _ in [Double]() }
    for _ in 0..<rounds {
      for (index, body) in bodies.enumerated() {
        let time = Self.nanoseconds(of: body, repetitions: repetitions[index])
        times[index].append(time / Double(repetitions[index] * body.count))
      }
    }
    self.times = times
  }

  init(times: [[Double]]) { self.times = times }

  /// Nanoseconds per parameter of one body.
  func sample(of body: Int) -> Sample { Sample(times[body]) }

  /// How much longer a body took than another, round by round.
  func ratios(of body: Int, to other: Int) -> Sample { Sample(zip(times[body], times[other]).map { $0 / $1 }) }

  private static func repetitions(of body: TimedBody, leastSampleTime: Double) -> Int {
    var repetitions = 1
    while nanoseconds(of: body, repetitions: repetitions) < leastSampleTime { repetitions *= 2 }
    return repetitions
  }

  private static func nanoseconds(of body: TimedBody, repetitions: Int) -> Double {
    let start = DispatchTime.now().uptimeNanoseconds
    for _ in 0..<repetitions { body.run() }
    // A clock with coarse ticks may not have moved; a time of zero would give endless ratios.
    return Double(max(1, DispatchTime.now().uptimeNanoseconds - start))
  }
}
