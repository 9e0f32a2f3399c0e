import CheckpointWorker
import Foundation
import TestSupport
import XCTest

@testable import LowBitOptimizers

/// A run that is stopped and continued, in another process, is the run that was not stopped.
final class CheckpointResumeTests: XCTestCase {
  func testAResumedRunEqualsTheStraightOne() throws {
    let folder = try TemporaryFolder()
    for subject in OptimizerSubject.all {
      let name = subject.name
      for threads in [1, 2, 8] {
        let optimizer = subject.make()
        optimizer.threadCount = threads
        var workload = Workload(optimizer)
        workload.run(1...20)
        let before = OptimizerSnapshot(optimizer)
        try optimizer.save(to: folder.file("half.safetensors"))
        XCTAssertEqual(OptimizerSnapshot(optimizer), before, "saving changed the state")
        try workload.saveParameters(to: folder.file("half.parameters"))

        let worker = try startWorker("resume", folder.url.path, name, "\(threads)")
        workload.run(21...40)
        try optimizer.save(to: folder.file("straight.safetensors"))
        try workload.saveParameters(to: folder.file("straight.parameters"))
        worker.waitUntilExit()
        XCTAssertEqual(worker.terminationStatus, 0, name)
        for kind in ["safetensors", "parameters"] {
          XCTAssertEqual(
            try Data(contentsOf: folder.file("resumed.\(kind)")), try Data(contentsOf: folder.file("straight.\(kind)")),
            "\(kind) of \(name) with \(threads) threads")
        }
      }
    }
    XCTAssertEqual(folder.names.filter { $0.hasSuffix(".saving") }, [])
  }

  func testAKilledWriterLeavesTheOldFileOrTheNewOne() throws {
    let folder = try TemporaryFolder()
    var generator = SeededGenerator()
    var states: Set<Data> = []
    for number in 0..<2 {
      try Workload.fixedState(number).save(to: folder.file("expected"))
      states.insert(try Data(contentsOf: folder.file("expected")))
    }
    let target = folder.file("state.safetensors")
    var leftovers = 0
    for _ in 0..<(isExhaustive ? 200 : 25) {
      let worker = try startWorker("save", target.path)
      let started = Date()
      while !FileManager.default.fileExists(atPath: target.path), Date().timeIntervalSince(started) < 30 {
        usleep(1000)
      }
      usleep(UInt32(generator.next() % 60_000))
      kill(worker.processIdentifier, SIGKILL)
      worker.waitUntilExit()
      let file = try Data(contentsOf: target)
      XCTAssertTrue(states.contains(file), "\(file.count) bytes that are neither state")
      try Adam8bit().restore(from: target)
      leftovers += folder.names.count { $0.hasSuffix(".saving") }
    }
    XCTAssertGreaterThan(leftovers, 0, "no kill met a writer at work")
    // The next save clears away what killed writers have left.
    try Workload.fixedState(0).save(to: target)
    XCTAssertEqual(folder.names, ["expected", "state.safetensors"])
  }
}
