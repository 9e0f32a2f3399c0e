import CheckpointWorker
import Foundation
import TestSupport
import XCTest

@testable import LowBitOptimizers

final class CheckpointRoundTripTests: XCTestCase {
  private func data(_ url: URL) throws -> Data { try Data(contentsOf: url) }

  func testRestoringGivesTheOptimizerThatWasSaved() throws {
    let folder = try TemporaryFolder()
    let file = folder.file("state.safetensors")
    for subject in OptimizerSubject.all {
      let name = subject.name
      let optimizer = subject.make()
      var workload = Workload(optimizer)
      optimizer.sizeRule.keep32Bit("layer.weight")
      optimizer.sizeRule.setMinimumCount(17, for: "never seen")
      workload.run(1...4)
      try optimizer.save(to: file)
      // Into an optimizer with other hyperparameters, twice, and through a path.
      let other = subject.makePlain()
      try other.restore(from: file)
      XCTAssertEqual(OptimizerSnapshot(other), OptimizerSnapshot(optimizer), name)
      try other.restore(from: file.path)
      XCTAssertEqual(OptimizerSnapshot(other), OptimizerSnapshot(optimizer), name)
      XCTAssertEqual(other.report(), optimizer.report())
      try other.save(to: folder.file("again").path)
      XCTAssertEqual(try data(folder.file("again")), try data(file), name)
    }
  }

  func testEqualStatesWriteEqualBytesWhateverTheOrder() throws {
    let folder = try TemporaryFolder()
    var files: Set<Data> = []
    for order in [["a", "b", "c", "ä"], ["ä", "c", "a", "b"]] {
      let optimizer = Adam8bit()
      optimizer.sizeRule.minimumCount = 2
      for name in order {
        var parameter: [Float] = name == "b" ? [1] : [1, 2, 3]
        optimizer.update(ParameterKey(name), &parameter, along: name == "b" ? [1] : [3, 2, 1])
      }
      try optimizer.save(to: folder.file("state"))
      files.insert(try data(folder.file("state")))
    }
    XCTAssertEqual(files.count, 1)
  }

  func testKeysOfAnyKindAndAnyStepSurvive() throws {
    let folder = try TemporaryFolder()
    let keys: [ParameterKey] = [
      "", "a.state1", "quote\" \\ /", "line\nbreak\u{0}\u{1f}", "日本語 é 🧠", "\u{301}", 7, "sp ace=x checksum=1",
    ]
    let steps = [0, 1, 255, 257, 10_000, 1 << 24 + 1, 1 << 40, 1 << 53]
    let optimizer = AdamW8bit()
    optimizer.sizeRule.minimumCount = 2
    for (index, key) in keys.enumerated() {
      var parameter = [Float](repeating: 1, count: index)
      optimizer.update(key, &parameter, along: parameter)
      optimizer.states[key]!.step = steps[index]
    }
    try optimizer.save(to: folder.file("state"))
    let restored = AdamW8bit()
    try restored.restore(from: folder.file("state"))
    XCTAssertEqual(OptimizerSnapshot(restored), OptimizerSnapshot(optimizer))
    XCTAssertEqual(keys.map { restored.stepCount(of: $0) }, steps)
  }

  func testHyperparametersSurviveExactly() throws {
    let folder = try TemporaryFolder()
    var generator = SeededGenerator()
    for _ in 0..<50 {
      let optimizer = Adam8bit(
        learningRate: generator.wideRange().magnitude, beta1: generator.uniform(),
        beta2: min(Float(1).nextDown, 1 - generator.wideRange().magnitude), epsilon: generator.wideRange().magnitude,
        weightDecay: .leastNonzeroMagnitude)
      try optimizer.save(to: folder.file("state"))
      let restored = Adam8bit()
      try restored.restore(from: folder.file("state"))
      XCTAssertEqual(restored.learningRate.bitPattern, optimizer.learningRate.bitPattern)
      XCTAssertEqual(restored.rule.hyperparameters, optimizer.rule.hyperparameters)
      XCTAssertEqual((restored.rule as! AdamRule).beta2, (optimizer.rule as! AdamRule).beta2)
    }
  }

  /// The next step in the blocks of the file, larger and smaller than the optimizer's own and mixed in one call.
  func testRestoredBlockSizesStay() throws {
    let folder = try TemporaryFolder()
    var generator = SeededGenerator()
    let gradients = (0..<6).map { _ in (0..<9000).map { _ in generator.normal() } }
    for blockSize in [64, 100, 2048, 4096] {
      let straight = AdamW8bit(blockSize: blockSize)
      var parameter = gradients[5]
      for gradient in gradients[..<2] { straight.update("p", &parameter, along: gradient) }
      try straight.save(to: folder.file("state"))
      let resumed = AdamW8bit()
      var other = parameter
      // Its scratch memory already has the size for 256.
      resumed.update("q", &other, along: gradients[0])
      other = parameter
      try resumed.restore(from: folder.file("state"))
      for gradient in gradients[2...] {
        straight.update("p", &parameter, along: gradient)
        resumed.update("p", &other, along: gradient)
      }
      XCTAssertEqual(parameter, other)
      XCTAssertEqual(OptimizerSnapshot(resumed), OptimizerSnapshot(straight))
    }
  }

  /// A file of every version that was released must load for ever; and the same run writes it, on every platform.
  func testTheCheckpointOfVersion1() throws {
    let folder = try TemporaryFolder()
    let golden = Bundle.module.url(forResource: "Golden/checkpoint_version1", withExtension: "safetensors")!
    let optimizer = AdamW8bit(learningRate: 2e-3, blockSize: 128)
    optimizer.sizeRule.minimumCount = 300
    optimizer.sizeRule.keep32Bit("kept")
    for step in 1...3 {
      for (name, count) in [("weight", 700), ("kept", 320), ("bias", 20)] {
        let gradient = (0..<count).map { Float(($0 * 37 + step * 11) % 101 - 50) / 16 }
        var parameter = gradient.map { 1 - $0 }
        optimizer.update(ParameterKey(name), &parameter, along: gradient)
      }
    }
    let restored = AdamW8bit()
    try restored.restore(from: golden)
    XCTAssertEqual(OptimizerSnapshot(restored), OptimizerSnapshot(optimizer))
    try restored.save(to: folder.file("state"))
    XCTAssertEqual(try data(folder.file("state")), try data(golden))
  }

  func testSavingRefusesWhatCannotBeRestored() throws {
    let folder = try TemporaryFolder()
    let file = folder.file("state")
    let optimizer = Adam32()
    var parameter: [Float] = [1, 2]
    optimizer.update("p", &parameter, along: [1, 1])
    try optimizer.save(to: file)
    let good = try data(file)
    optimizer.states["p"]!.first.encode([0, .nan])
    XCTAssertThrowsError(try optimizer.save(to: file)) {
      XCTAssertEqual(($0 as! CheckpointError).kind, .invalidValue)
      XCTAssertEqual(($0 as! CheckpointError).place, "p.state1[1]")
    }
    XCTAssertEqual(try data(file), good)
    // A second moment may overflow: its parameter stands still, and the run can go on.
    optimizer.states["p"]!.first.encode([0, 0])
    optimizer.states["p"]!.second!.encode([0, .infinity])
    try optimizer.save(to: file)
    try Adam32().restore(from: file)
    optimizer.update(ParameterKey(String(repeating: "k", count: 70_000)), &parameter, along: [1, 1])
    XCTAssertThrowsError(try optimizer.save(to: file)) { XCTAssertEqual(($0 as! CheckpointError).kind, .unsupported) }
  }

  func testSavingThroughALinkAndWhereNothingCanBeWritten() throws {
    let folder = try TemporaryFolder()
    let optimizer = Adam8bit()
    try optimizer.save(to: folder.file("real"))
    try FileManager.default.createSymbolicLink(at: folder.file("link"), withDestinationURL: folder.file("real"))
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: folder.file("real").path)
    optimizer.learningRate = 0.5
    try optimizer.save(to: folder.file("link"))
    let restored = Adam8bit()
    try restored.restore(from: folder.file("real"))
    XCTAssertEqual(restored.learningRate, 0.5)
    let attributes = try FileManager.default.attributesOfItem(atPath: folder.file("real").path)
    XCTAssertEqual(attributes[.posixPermissions] as? Int, 0o600)
    XCTAssertEqual(folder.names, ["link", "real"])

    for url in [folder.file("no such folder/state"), folder.url, URL(string: "https://example.com/state")!] {
      XCTAssertThrowsError(try optimizer.save(to: url)) { XCTAssertEqual(($0 as! CheckpointError).kind, .fileAccess) }
    }
    XCTAssertEqual(folder.names, ["link", "real"])
  }

  #if os(Linux)
  func testALargeStateNeedsNoSecondCopy() throws {
    let folder = try TemporaryFolder()
    // 4 GB of 8-bit state in the exhaustive run.
    let count = isExhaustive ? 2_114_445_438 : 1 << 24
    let limit = isExhaustive ? 64 << 20 : 8 << 20
    let file = folder.file("state")
    var byteCount = 0
    do {
      let optimizer = Adam8bit()
      optimizer.states["p"] = ParameterState(
        key: "p", count: count, shape: nil, formats: optimizer.formats, reason: .largeEnough)
      for region in optimizer.states["p"]!.regions { region.memory.initializeMemory(as: UInt8.self, repeating: 1) }
      byteCount = optimizer.stateByteCount
      let extra = try peakMemory { try optimizer.save(to: file) }
      print("saving \(byteCount) bytes of state took \(extra >> 10) KiB of memory")
      XCTAssertLessThan(extra, limit)
    }
    let restored = Adam8bit()
    let extra = try peakMemory { try restored.restore(from: file) } - byteCount
    print("restoring them took \(extra >> 10) KiB beside the state")
    XCTAssertLessThan(extra, limit)
    XCTAssertEqual(restored.stateByteCount, byteCount)
  }

  private func peakMemory(_ body: () throws -> Void) throws -> Int {
    try "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8)
    let before = try memory("VmRSS")
    try body()
    return try memory("VmHWM") - before
  }

  private func memory(_ field: String) throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try XCTUnwrap(status.split(separator: "\n").first { $0.hasPrefix(field) })
    return 1024 * Int(line.filter(\.isNumber))!
  }
  #endif
}
