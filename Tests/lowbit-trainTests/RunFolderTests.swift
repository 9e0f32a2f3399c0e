import Foundation
import LowBitOptimizers
import TestSupport
import XCTest

@testable import lowbit_train

/// A run that is stopped and continued from its folder ends as the run that was not stopped, to the last bit.
final class RunFolderTests: XCTestCase {
  private let shells = String(repeating: "she sells sea shells by the sea shore; ", count: 60)
  private let steps = 24
  private var root = ""

  override func setUpWithError() throws {
    root = FileManager.default.temporaryDirectory.appendingPathComponent("run-\(UUID().uuidString)").path
  }

  override func tearDown() { try? FileManager.default.removeItem(atPath: root) }

  private func sizes(_ text: TrainingText, width: Int = 16) -> CharacterModelSizes {
    CharacterModelSizes(vocabulary: text.vocabulary.count, context: 16, width: width, heads: 2, blocks: 1)
  }

  private func newRun(_ name: String, text: String? = nil, width: Int = 16) -> TrainingRun {
    let text = TrainingText(text ?? shells, title: "shells")
    let task = CharacterTask(
      text, sizes: sizes(text, width: width), seed: 1, batch: 4, shards: 2, validationWindows: 8, threads: 2)
    let run = TrainingRun(OptimizerEntry.named(name)!, task: task, steps: steps, seed: 1)
    // The model is so small that all its state would stay in 32 bits.
    run.optimizer.sizeRule.minimumCount = 64
    return run
  }

  private func folder(
    _ name: String, text: String? = nil, width: Int = 16, steps: Int? = nil, seed: UInt64 = 1, in path: String? = nil
  ) throws -> RunFolder {
    let text = TrainingText(text ?? shells, title: "shells")
    let settings = RunSettings(
      OptimizerEntry.named(name)!, text: text, sizes: sizes(text, width: width), steps: steps ?? self.steps, seed: seed)
    return try RunFolder(path ?? "\(root)/\(name)", settings)
  }

  private func advance(_ run: TrainingRun, to step: Int) {
    while run.step < step { run.advance() }
  }

  private func values(_ run: TrainingRun) -> [UInt32] {
    run.task.parameters.parameters.flatMap { $0.value.map(\.bitPattern) }
  }

  private func moments(_ run: TrainingRun) -> [Moments?] {
    run.task.parameters.parameters.map { run.optimizer.moments(of: ParameterKey($0.name)) }
  }

  private func assertSame(_ run: TrainingRun, _ other: TrainingRun, _ what: String, line: UInt = #line) {
    XCTAssertEqual(run.step, other.step, what, line: line)
    XCTAssertEqual(run.position, other.position, what, line: line)
    XCTAssertEqual(run.losses, other.losses, what, line: line)
    XCTAssertEqual(values(run), values(other), what, line: line)
    XCTAssertEqual(moments(run), moments(other), what, line: line)
    XCTAssertEqual(run.optimizer.learningRate, other.optimizer.learningRate, what, line: line)
    XCTAssertEqual(
      run.task.validationLoss().bitPattern, other.task.validationLoss().bitPattern, what, line: line)
  }

  private func names(_ name: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "\(root)/\(name)").sorted()
  }

  func testAnInterruptedRunEndsAsTheStraightOneForEveryOptimizer() throws {
    for entry in OptimizerEntry.all {
      let straight = newRun(entry.name)
      advance(straight, to: steps)
      for stop in [1, 9, 17, steps] {
        // Each in an object of its own, as in a new process.
        let run = newRun(entry.name)
        let folder = try folder(entry.name)
        XCTAssertEqual(try folder.restore(run), stop > 1)
        advance(run, to: stop)
        try folder.save(run)
        XCTAssertEqual(try names(entry.name), ["optimizer-\(stop).safetensors", "run.safetensors"])
      }
      let last = newRun(entry.name)
      XCTAssertTrue(try folder(entry.name).restore(last))
      assertSame(last, straight, entry.name)
      var (result, expected) = (last.finish(), straight.finish())
      (result.secondsPerStep, expected.secondsPerStep) = (0, 0)
      XCTAssertEqual(result, expected, entry.name)
    }
  }

  /// What a kill between the two files leaves, and one in the middle of a file.
  func testAKillBetweenTheFilesLeavesTheStepBefore() throws {
    let straight = newRun("Adam8bit")
    advance(straight, to: steps)
    let path = "\(root)/Adam8bit"
    do {
      let run = newRun("Adam8bit")
      let folder = try folder("Adam8bit")
      advance(run, to: 10)
      try folder.save(run)
      advance(run, to: 20)
      try run.optimizer.save(to: "\(path)/optimizer-20.safetensors")
      try Data(count: 100).write(to: URL(fileURLWithPath: "\(path)/.optimizer-15.safetensors.1f.saving"))
    }
    let run = newRun("Adam8bit")
    let folder = try folder("Adam8bit")
    XCTAssertTrue(try folder.restore(run))
    XCTAssertEqual(run.step, 10)
    advance(run, to: steps)
    assertSame(run, straight, "after a kill")
    try folder.save(run)
    XCTAssertEqual(try names("Adam8bit"), ["optimizer-\(steps).safetensors", "run.safetensors"])
  }

  func testACheckpointOfOtherSettingsIsRefused() throws {
    let run = newRun("Adam8bit")
    advance(run, to: 3)
    try folder("Adam8bit").save(run)
    let path = "\(root)/Adam8bit"
    let attempts: [(setting: String, open: () throws -> RunFolder)] = [
      ("steps", { try self.folder("Adam8bit", steps: self.steps + 1) }),
      ("seed", { try self.folder("Adam8bit", seed: 2) }),
      ("text", { try self.folder("Adam8bit", text: self.shells.replacingOccurrences(of: "sea", with: "see")) }),
      ("text", { try self.folder("Adam8bit", text: self.shells + " ") }),
      ("model", { try self.folder("Adam8bit", width: 32) }),
      ("learning rate", { try self.folder("Momentum8bit", in: path) }),
      ("optimizer", { try self.folder("Adam32", in: path) }),
    ]
    for (setting, open) in attempts {
      XCTAssertThrowsError(try open()) {
        guard case .anotherRun(_, let found, _, _)? = $0 as? RunFolderProblem else { return XCTFail("\($0)") }
        XCTAssertEqual(found, setting)
        XCTAssertTrue("\($0)".hasPrefix("\(path) holds the checkpoint of another run: \(setting) "), "\($0)")
      }
    }
  }

  func testDamagedAndMixedFilesAreRefusedAndChangeNothing() throws {
    let path = "\(root)/AdamW8bit"
    let run = newRun("AdamW8bit")
    var files: [Int: [String: Data]] = [:]
    for step in [5, 10] {
      advance(run, to: step)
      try folder("AdamW8bit").save(run)
      for name in try names("AdamW8bit") {
        files[step, default: [:]][name] = try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)"))
      }
    }
    let (runFile, optimizerFile) = ("run.safetensors", "optimizer-10.safetensors")
    let sound = files[10]!
    func flipped(_ name: String, _ index: Int) -> [String: Data] {
      var files = sound
      files[name]![index] ^= 4
      return files
    }
    var attempts: [(String, [String: Data])] = [
      ("an optimizer of another step", sound.merging([optimizerFile: files[5]!["optimizer-5.safetensors"]!]) { $1 }),
      ("a run of another step", sound.merging([runFile: files[5]![runFile]!]) { $1 }),
      ("no optimizer", sound.filter { $0.key == runFile }), ("an empty run", sound.merging([runFile: Data()]) { $1 }),
    ]
    for name in [runFile, optimizerFile] {
      let count = sound[name]!.count
      for index in [0, 9, 40, 300, 600, count / 2, count - 1] {
        attempts.append(("\(name) with another byte \(index)", flipped(name, index)))
      }
      attempts.append(("\(name) cut short", sound.merging([name: sound[name]!.dropLast(7)]) { $1 }))
    }
    for (what, files) in attempts {
      try FileManager.default.removeItem(atPath: path)
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      for (name, data) in files { try data.write(to: URL(fileURLWithPath: "\(path)/\(name)")) }
      let (fresh, untouched) = (newRun("AdamW8bit"), newRun("AdamW8bit"))
      advance(fresh, to: 2)
      advance(untouched, to: 2)
      XCTAssertThrowsError(try folder("AdamW8bit").restore(fresh), what) {
        XCTAssertTrue("\($0)".hasPrefix(path), "\(what): \($0)")
      }
      assertSame(fresh, untouched, what)
    }
  }

  func testAFolderServesOneRunAtATime() throws {
    let first = try folder("Adam32")
    XCTAssertThrowsError(try folder("Adam32")) {
      XCTAssertEqual($0 as? RunFolderProblem, .inUse("\(root)/Adam32"))
    }
    XCTAssertFalse(try first.restore(newRun("Adam32")))
    try Data().write(to: URL(fileURLWithPath: "\(root)/file"))
    XCTAssertThrowsError(try folder("Adam32", in: "\(root)/file")) {
      XCTAssertEqual($0 as? RunFolderProblem, .noFolder("\(root)/file"))
    }
  }

  /// The program itself, killed again and again, reports what an undisturbed one reports.
  func testAKilledProgramContinues() throws {
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    try shells.write(toFile: "\(root)/shells.txt", atomically: true, encoding: .utf8)
    // Beside the tests' bundle, or in the folder that stands for it.
    let bundle = Bundle(for: Self.self).bundleURL
    let program = try XCTUnwrap(
      [bundle, bundle.deletingLastPathComponent()].map { $0.appendingPathComponent("lowbit-train") }
        .first { FileManager.default.isExecutableFile(atPath: $0.path) })
    let names = "Adam8bit,Momentum32"
    func start(_ json: String, _ more: String...) throws -> Process {
      let process = Process()
      process.executableURL = program
      process.arguments =
        ["--optimizers", names, "--steps", "30", "--text", "\(root)/shells.txt", "--json", "\(root)/\(json)"] + more
      process.standardOutput = FileHandle.nullDevice
      try process.run()
      return process
    }
    func results(_ json: String) throws -> [[String: AnyHashable]] {
      let data = try Data(contentsOf: URL(fileURLWithPath: "\(root)/\(json)"))
      let rows = try XCTUnwrap(JSONSerialization.jsonObject(with: data) as? [[String: AnyHashable]])
      return rows.map { $0.filter { $0.key != "secondsPerStep" } }
    }
    let straight = try start("straight.json")
    straight.waitUntilExit()
    XCTAssertEqual(straight.terminationStatus, 0)

    var generator = SeededGenerator()
    var kills = 0
    while true {
      let process = try start("resumed.json", "--checkpoint", "\(root)/kept", "--save-every", "1")
      if kills < 5 {
        usleep(UInt32(100_000 + generator.next() % 200_000))
        kill(process.processIdentifier, SIGKILL)
      }
      process.waitUntilExit()
      if process.terminationReason == .exit {
        XCTAssertEqual(process.terminationStatus, 0)
        break
      }
      kills += 1
    }
    XCTAssertGreaterThan(kills, 0, "no kill met a run at work")
    XCTAssertEqual(try results("resumed.json"), try results("straight.json"))
  }

  func testOptions() throws {
    let options = try Options(["--checkpoint", "kept here", "--save-every=7"])
    XCTAssertEqual(options.checkpointPath, "kept here")
    XCTAssertEqual(options.stepsPerSave, 7)
    XCTAssertEqual(try Options(["--checkpoint", "kept"]).stepsPerSave, Options.defaultSaveEvery)
    // The same run does without the folder.
    XCTAssertEqual(options.command, Options().command)
    for (arguments, message) in [
      (["--save-every", "7"], "--save-every needs --checkpoint"),
      (["--checkpoint", "kept", "--save-every", "0"], "--save-every needs a number above 0, not 0"),
      (["--checkpoint"], "--checkpoint needs a value"),
    ] {
      XCTAssertThrowsError(try Options(arguments)) { XCTAssertEqual("\($0)", message) }
    }
    for name in ["--checkpoint FOLDER", "--save-every N"] { XCTAssertTrue(Options.usage.contains("  \(name)"), name) }
  }
}
