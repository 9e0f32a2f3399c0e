import Foundation
import XCTest

@testable import lowbit_train

/// An interrupted study goes on where it stopped, and takes nothing for finished that is not.
final class StudyJobsTests: XCTestCase {
  /// Which jobs ran.
  private final class Log: @unchecked Sendable {
    private let lock = NSLock()
    private var entries: [String] = []
    func add(_ name: String) { lock.withLock { entries.append(name) } }
    func take() -> [String] {
      lock.withLock {
        defer { entries = [] }
        return entries.sorted()
      }
    }
  }

  private let log = Log()

  private func jobs(_ names: [String], setting: String = "rate 1") -> [StudyJob] {
    names.map { [log] name in
      StudyJob(name: name, setting: setting, kind: "kind") {
        log.add(name)
        return SmallStudy.outcome(loss: Double(name.utf8.first!))
      }
    }
  }

  private func outcomes(_ jobs: [StudyJob], in path: String, threads: Int = 2) throws -> [Double] {
    try StudyJobs(folder: StudyFolder(path: path), threads: threads) { _ in }.outcomes(jobs).map(\.validationLoss)
  }

  func testFinishedRunsAreNotRepeated() throws {
    let path = temporaryFolder()
    XCTAssertEqual(try outcomes(jobs(["a", "b"]), in: path), [97, 98])
    XCTAssertEqual(log.take(), ["a", "b"])
    XCTAssertEqual(try outcomes(jobs(["c", "b", "a"]), in: path), [99, 98, 97], "in the order of the jobs")
    XCTAssertEqual(log.take(), ["c"])
  }

  func testAnotherSettingIsAnotherRun() throws {
    let path = temporaryFolder()
    _ = try outcomes(jobs(["a", "b"]), in: path)
    _ = log.take()
    _ = try outcomes(jobs(["a", "b"], setting: "rate 2"), in: path)
    XCTAssertEqual(log.take(), ["a", "b"])
  }

  func testADamagedFileIsARunToRepeat() throws {
    let path = temporaryFolder()
    _ = try outcomes(jobs(["a", "b"]), in: path)
    _ = log.take()
    let file = URL(fileURLWithPath: path).appendingPathComponent("a.json")
    try Data(contentsOf: file).dropLast(20).write(to: file)
    XCTAssertEqual(try outcomes(jobs(["a", "b"]), in: path), [97, 98])
    XCTAssertEqual(log.take(), ["a"])
  }

  func testLossesThatAreNoNumbersSurvive() throws {
    let folder = try StudyFolder(path: temporaryFolder())
    let job = jobs(["a"])[0]
    try folder.save(SmallStudy.outcome(loss: .infinity, largest: .nan), of: job)
    let read = try XCTUnwrap(folder.outcome(of: job))
    XCTAssertEqual(read.validationLoss, .infinity)
    XCTAssertTrue(read.largestLoss.isNaN)
    XCTAssertTrue(read.isDiverged)
  }

  func testAFolderThatCannotBeMadeIsNamed() throws {
    let file = temporaryFolder()
    try Data().write(to: URL(fileURLWithPath: file))
    XCTAssertThrowsError(try StudyFolder(path: file + "/inside")) {
      XCTAssertEqual("\($0)", "\(file)/inside cannot be written.")
    }
  }

  func testProgressCountsAllRuns() throws {
    var lines: [String] = []
    let path = temporaryFolder()
    _ = try outcomes(jobs(["a"]), in: path)
    let study = StudyJobs(folder: try StudyFolder(path: path), threads: 1) { lines.append($0) }
    _ = try study.outcomes(jobs(["a", "b", "c"]))
    XCTAssertEqual(lines.count, 3)
    XCTAssertEqual(lines[0], "1 of 3 runs are done already, 2 to do\n")
    XCTAssertTrue(lines[1].hasPrefix("2 of 3  b "), lines[1])
    XCTAssertTrue(lines[2].hasPrefix("3 of 3  c ") && lines[2].hasSuffix(" 0 s left\n"), lines[2])
  }

  func testTimeLeftGoesByKind() {
    let finished = [("slow", 10.0), ("slow", 14), ("fast", 1)].map { (kind: $0.0, seconds: $0.1) }
    XCTAssertEqual(RemainingTime(finished: finished, open: ["fast", "slow", "slow"]).seconds, 25)
    XCTAssertEqual(
      RemainingTime(finished: finished, open: ["new"]).seconds, 25.0 / 3, accuracy: 1e-9, "the mean of all")
    XCTAssertEqual(RemainingTime(finished: [], open: ["new"]).seconds, 0)
    XCTAssertEqual([9.4, 65, 3720].map(clock), ["9 s", "1 min 05 s", "1 h 02 min"])
  }
}
