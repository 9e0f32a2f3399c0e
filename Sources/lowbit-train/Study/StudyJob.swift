import Foundation
import ProgramSupport

/// One run of a study that is to be done, or has been.
struct StudyJob: Sendable {
  /// The name of its file, which says which run it is.
  let name: String
  /// Everything else that the outcome depends on, but for the program itself.
  let setting: String
  /// Jobs of one kind take about equally long.
  let kind: String
  let run: @Sendable () -> RunOutcome
}

/// Does the jobs that are not done yet, several at a time, each on one thread: what they come to does not depend on it.
struct StudyJobs {
  let folder: StudyFolder
  let threads: Int
  let showProgress: (String) -> Void

  /// The outcomes of all `jobs`, in their order.
  func outcomes(_ jobs: [StudyJob]) throws -> [RunOutcome] {
    let known = jobs.map(folder.outcome)
    let open = jobs.indices.filter { known[$0] == nil }
    let board = JobBoard(known, jobs, showProgress)
    inParallel(open.count, threads: threads) { index in
      if board.hasFailed { return }
      let job = jobs[open[index]]
      let outcome = job.run()
      board.enter(outcome, at: open[index]) { try folder.save(outcome, of: job) }
    }
    return try board.outcomes()
  }
}

/// What is known of all jobs while several threads work on them.
private final class JobBoard: @unchecked Sendable {
  private let lock = NSLock()
  private let jobs: [StudyJob]
  private let showProgress: (String) -> Void
  private let start = ContinuousClock.now
  private var results: [RunOutcome?]
  /// Time of the runs that were done here.
  private var workedSeconds = 0.0
  private var failure: (any Error)?

  init(_ known: [RunOutcome?], _ jobs: [StudyJob], _ showProgress: @escaping (String) -> Void) {
    self.jobs = jobs
    self.showProgress = showProgress
    results = known
    let open = known.count { $0 == nil }
    if open > 0 { showProgress("\(jobs.count - open) of \(jobs.count) runs are done already, \(open) to do\n") }
  }

  var hasFailed: Bool { lock.withLock { failure != nil } }

  func enter(_ outcome: RunOutcome, at index: Int, saving: () throws -> Void) {
    lock.withLock {
      do { try saving() } catch { failure = failure ?? error }
      results[index] = outcome
      workedSeconds += outcome.seconds
      showProgress(line(jobs[index]))
    }
  }

  func outcomes() throws -> [RunOutcome] {
    if let failure { throw failure }
    return results.map { $0! }
  }

  private func line(_ last: StudyJob) -> String {
    let done = results.count { $0 != nil }
    let left = RemainingTime(
      finished: zip(jobs, results).compactMap { job, result in result.map { (job.kind, $0.seconds) } },
      open: zip(jobs, results).compactMap { job, result in result == nil ? job.kind : nil })
    // Seconds of work in a second: about the number of threads, and less on a busy machine.
    let pace = max(0.1, workedSeconds / max(1e-9, (ContinuousClock.now - start).seconds))
    return "\(done) of \(jobs.count)  \(last.name.padded(to: 44))  \(clock(left.seconds / pace)) left\n"
  }
}

/// How long the open runs will take, going by the finished ones of their kind.
struct RemainingTime {
  let seconds: Double

  init(finished: [(kind: String, seconds: Double)], open: [String]) {
    var times: [String: (sum: Double, count: Int)] = [:]
    for run in finished {
      let known = times[run.kind] ?? (0, 0)
      times[run.kind] = (known.sum + run.seconds, known.count + 1)
    }
    let mean = finished.isEmpty ? 0 : finished.reduce(0) { $0 + $1.seconds } / Double(finished.count)
    seconds = open.reduce(0) { sum, kind in sum + (times[kind].map { $0.sum / Double($0.count) } ?? mean) }
  }
}

/// Seconds as "1 h 02 min", "3 min 05 s" or "12 s".
func clock(_ seconds: Double) -> String {
  let whole = seconds.isFinite ? Int(seconds.rounded()) : 0
  func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
  if whole >= 3600 { return "\(whole / 3600) h \(two(whole % 3600 / 60)) min" }
  return whole >= 60 ? "\(whole / 60) min \(two(whole % 60)) s" : "\(whole) s"
}
