import Foundation
import TestSupport
import XCTest

@testable import LowBitOptimizers

/// The layer's files: what comes back, what is refused, and that a refusal changes nothing.
final class StableEmbeddingCheckpointTests: XCTestCase {
  private struct Snapshot: Equatable {
    var values: [[UInt32]]
    var ids: [Int]
    var touchedRows: [Int]

    init(_ layer: StableEmbedding) {
      values = [
        layer.weight, layer.gain, layer.bias, layer.weightGradient, layer.gainGradient, layer.biasGradient,
      ].map { $0.map(\.bitPattern) }
      ids = layer.ids
      touchedRows = Array(layer.touchedRows.selectedRows)
    }
  }

  private func layer(
    seed: UInt64, vocabularySize: Int = 9, dimension: Int = 5, paddingIndex: Int? = 2, name: String = "token"
  ) -> StableEmbedding {
    let layer = StableEmbedding(
      vocabularySize: vocabularySize, dimension: dimension, paddingIndex: paddingIndex, seed: seed, name: name)
    var generator = SeededGenerator(quietly: seed)
    layer.gain = layer.gain.map { _ in generator.normal() }
    layer.bias = layer.bias.map { _ in generator.normal() }
    // Values that a printed decimal or an arithmetic copy would lose.
    layer.weight[0] = -0.0
    layer.weight[1] = .leastNonzeroMagnitude
    layer.weight[3] = .greatestFiniteMagnitude
    return layer
  }

  /// In the middle of a step.
  private func busyLayer() throws -> StableEmbedding {
    let busy = layer(seed: 2)
    busy.weight[3] = 0
    _ = try busy.forward([1, 4, 4])
    busy.backward((0..<15).map { Float($0) - 7 })
    return busy
  }

  private func file(_ layer: StableEmbedding) throws -> [UInt8] {
    let folder = try TemporaryFolder()
    try layer.save(to: folder.file("layer"))
    return Array(try Data(contentsOf: folder.file("layer")))
  }

  private func restore(_ layer: StableEmbedding, _ file: [UInt8]) throws {
    try file.withUnsafeBytes { try layer.restore(reading: MemorySource(bytes: $0)) }
  }

  func testRestoringGivesTheLayerThatWasSaved() throws {
    let folder = try TemporaryFolder()
    for paddingIndex in [nil, 2] {
      let saved = layer(seed: 1, paddingIndex: paddingIndex)
      try saved.save(to: folder.file("layer.safetensors"))
      let restored = layer(seed: 3, paddingIndex: paddingIndex)
      try restored.restore(from: folder.file("layer.safetensors"))
      XCTAssertEqual(Snapshot(restored), Snapshot(saved))
      try restored.save(to: folder.file("again").path)
      XCTAssertEqual(
        try Data(contentsOf: folder.file("again")), try Data(contentsOf: folder.file("layer.safetensors")))
      try restored.restore(from: folder.file("again").path)
      XCTAssertEqual(Snapshot(restored), Snapshot(saved))
    }
    XCTAssertEqual(folder.names, ["again", "layer.safetensors"])
    // Any safetensors library can read it.
    let tensors = try Safetensors(folder.file("again"))
    XCTAssertEqual(tensors.names, ["token.bias", "token.gain", "token.weight"])
    XCTAssertEqual(tensors.shape("token.weight"), [9, 5])
    XCTAssertEqual(tensors.floats("token.weight"), layer(seed: 1).weight)
  }

  func testSavingChangesNothingAndRestoringForgetsThePassInProgress() throws {
    let folder = try TemporaryFolder()
    let busy = try busyLayer()
    let before = Snapshot(busy)
    try busy.save(to: folder.file("layer"))
    XCTAssertEqual(Snapshot(busy), before)
    try busy.restore(from: folder.file("layer"))
    let fresh = StableEmbedding(
      weight: busy.weight, dimension: 5, gain: busy.gain, bias: busy.bias, paddingIndex: 2, name: "token")
    XCTAssertEqual(Snapshot(busy), Snapshot(fresh))
  }

  /// Layer and optimizer, stopped and continued, are those that were not stopped.
  func testAResumedRunEqualsTheStraightOne() throws {
    let folder = try TemporaryFolder()
    func run(_ steps: Range<Int>, _ layer: StableEmbedding, _ optimizer: LowBitOptimizer) throws {
      for step in steps {
        let output = try layer.forward([step % 9, step * 7 % 9, 3])
        layer.backward(output.map { $0 - 0.5 })
        layer.update(with: optimizer)
        layer.zeroGradients()
      }
    }
    let (straight, optimizer) = (StableEmbedding(vocabularySize: 9, dimension: 5), AdamW8bit(learningRate: 1e-2))
    try run(0..<20, straight, optimizer)
    try straight.save(to: folder.file("layer"))
    try optimizer.save(to: folder.file("optimizer"))
    try run(20..<40, straight, optimizer)
    let (resumed, other) = (StableEmbedding(vocabularySize: 9, dimension: 5, seed: 7), AdamW8bit())
    try resumed.restore(from: folder.file("layer"))
    try other.restore(from: folder.file("optimizer"))
    try run(20..<40, resumed, other)
    XCTAssertEqual(Snapshot(resumed), Snapshot(straight))
  }

  private func assertRefused(
    _ file: [UInt8], _ kind: CheckpointError.Kind, _ place: String, _ what: String, by layer: StableEmbedding? = nil,
    line: UInt = #line
  ) throws {
    let layer = try layer ?? busyLayer()
    let before = Snapshot(layer)
    XCTAssertThrowsError(try restore(layer, file), what, line: line) {
      let error = $0 as! CheckpointError
      XCTAssertEqual(error.kind, kind, "\(what): \(error)", line: line)
      XCTAssertTrue(error.place.hasPrefix(place), "\(what): \(error)", line: line)
      XCTAssertEqual(error.path, "memory", line: line)
    }
    XCTAssertEqual(Snapshot(layer), before, what, line: line)
  }

  func testRefusals() throws {
    let sealed = try file(layer(seed: 1))
    let sound = try CheckpointFuzzTests.unsealed(sealed)
    try restore(busyLayer(), sound)
    for (other, what) in [
      (layer(seed: 1, vocabularySize: 10), "vocabulary_size is 9, the layer's is 10"),
      (layer(seed: 1, vocabularySize: 15, dimension: 3), "dimension is 5, the layer's is 3"),
      (layer(seed: 1, paddingIndex: nil), "padding_index is 2, the layer's is none"),
      (layer(seed: 1, paddingIndex: 4), "padding_index is 2, the layer's is 4"),
      (layer(seed: 1, name: "position"), "name is token, the layer's is position"),
    ] {
      try assertRefused(sealed, .mismatch, "metadata", what, by: other)
      XCTAssertThrowsError(try restore(other, sealed)) { XCTAssertEqual(($0 as! CheckpointError).problem, what) }
    }
    let split = SplitFile(sound)
    for (old, new, kind, place) in [
      ("LowBitOptimizers embedding", "LowBitOptimizers state", .unsupported, "metadata"),
      (#""format_version":"1""#, #""format_version":"2""#, .invalidValue, "metadata"),
      (#""format_version":"1","#, "", .malformed, "metadata"), (#""epsilon":"1e-05","#, "", .malformed, "metadata"),
      (#""epsilon":"1e-05""#, #""epsilon":"1e-06""#, .mismatch, "metadata"),
      (#""epsilon":"1e-05""#, #""epsilon":"1e-05","seed":"1""#, .unsupported, "metadata"),
      (#""epsilon":"1e-05""#, #""epsilon":"1e-05","checksum":"01234567""#, .invalidValue, "metadata"),
      (#""epsilon":"1e-05""#, #""epsilon":"1e-05","checksum/token.gain":"01234567""#, .invalidValue, "token.gain"),
      (#""vocabulary_size":"9""#, #""vocabulary_size":"9223372036854775808""#, .mismatch, "metadata"),
      (#""token.bias""#, #""token.bass""#, .mismatch, "token.bias"),
      (#""shape":[9,5]"#, #""shape":[10,5]"#, .malformed, "header byte"),
      (#""dtype":"F32","shape":[9,5]"#, #""dtype":"I32","shape":[9,5]"#, .mismatch, "token.weight"),
      (#""dtype":"F32","shape":[5]"#, #""dtype":"F16","shape":[10]"#, .mismatch, "token.bias"),
    ] as [(String, String, CheckpointError.Kind, String)] {
      try assertRefused(split.edited(old, new), kind, place, new)
    }
    try assertRefused(split.adding("z"), .unsupported, "z", "an unknown tensor")
    for length in sealed.indices {
      XCTAssertThrowsError(try restore(busyLayer(), Array(sealed[..<length])), "\(length) bytes")
    }
    for claimed in [.max, 1 << 63, 100_000_001] as [UInt64] {
      try assertRefused(safetensors(split.header, split.data, length: claimed), .malformed, "byte 0", "\(claimed)")
    }
    for value in [Float.nan, .infinity, -.infinity] {
      for element in [0, 5, 10, 54] {
        try assertRefused(split.withFloat(value, at: 4 * element), .invalidValue, "token.", "\(value) at \(element)")
      }
    }
    let optimizer = Adam8bit()
    let folder = try TemporaryFolder()
    try optimizer.save(to: folder.file("state"))
    try assertRefused(
      Array(try Data(contentsOf: folder.file("state"))), .unsupported, "metadata", "an optimizer's checkpoint")
    XCTAssertThrowsError(try Adam8bit().restore(bytes: sealed)) {
      XCTAssertEqual(($0 as! CheckpointError).kind, .unsupported)
    }
  }

  func testFilesThatCannotBeReadOrWritten() throws {
    let folder = try TemporaryFolder()
    let busy = try busyLayer()
    let before = Snapshot(busy)
    for url in [folder.file("no such folder/layer"), folder.url, URL(string: "https://example.com/layer")!] {
      XCTAssertThrowsError(try busy.save(to: url)) { XCTAssertEqual(($0 as! CheckpointError).kind, .fileAccess) }
      XCTAssertThrowsError(try busy.restore(from: url)) { XCTAssertEqual(($0 as! CheckpointError).kind, .fileAccess) }
    }
    let sealed = try file(busy)
    for length in stride(from: 0, to: sealed.count, by: 11) {
      try Data(sealed).write(to: folder.file("shrinking"))
      let source = try FileSource(folder.file("shrinking").path)
      truncate(folder.file("shrinking").path, off_t(length))
      XCTAssertThrowsError(try busy.restore(reading: source)) {
        XCTAssertEqual(($0 as! CheckpointError).kind, .fileAccess, "\($0)")
      }
    }
    XCTAssertEqual(Snapshot(busy), before)
    // A layer that has diverged does not replace a good file.
    try busy.save(to: folder.file("layer"))
    let good = try Data(contentsOf: folder.file("layer"))
    busy.gain[3] = .nan
    XCTAssertThrowsError(try busy.save(to: folder.file("layer"))) {
      XCTAssertEqual(($0 as! CheckpointError).place, "token.gain[3]")
    }
    XCTAssertEqual(try Data(contentsOf: folder.file("layer")), good)
    let longName = StableEmbedding(vocabularySize: 1, dimension: 1, name: String(repeating: "n", count: 70_000))
    XCTAssertThrowsError(try longName.save(to: folder.file("layer"))) {
      XCTAssertEqual(($0 as! CheckpointError).kind, .unsupported)
    }
  }

  func testEveryFlippedBitIsNoticed() throws {
    let sealed = try file(layer(seed: 1))
    let busy = try busyLayer()
    let before = Snapshot(busy)
    for index in sealed.indices {
      for bit in 0..<8 {
        var file = sealed
        file[index] ^= 1 << bit
        XCTAssertThrowsError(try restore(busy, file), "byte \(index), bit \(bit)")
      }
    }
    XCTAssertEqual(Snapshot(busy), before)
  }

  func testTheReaderAndTheOracleAgree() throws {
    var generator = SeededGenerator()
    let sealed = try file(layer(seed: 1))
    let unsealed = try CheckpointFuzzTests.unsealed(sealed)
    let oracle = EmbeddingOracle(name: "token", vocabularySize: 9, dimension: 5, paddingIndex: 2)
    var accepted = 0
    let busy = try busyLayer()
    let before = Snapshot(busy)
    for round in 0..<(isExhaustive ? 300_000 : 3000) {
      var mutator = FileMutator(generator, donor: unsealed)
      let file = mutator.mutate(round % 3 == 0 ? sealed : unsealed)
      generator = mutator.generator
      let other = try busyLayer()
      switch (Result { try restore(other, file) }, oracle.content(of: file)) {
      case (.success, .success(let tensors)):
        accepted += 1
        XCTAssertEqual(other.weight.flatMap { withUnsafeBytes(of: $0, Array.init) }, tensors["token.weight"])
      case (.failure, .failure): XCTAssertEqual(Snapshot(other), before)
      case (let ours, let theirs):
        return XCTFail("\(ours), the oracle says \(theirs): \(String(decoding: file, as: UTF8.self))")
      }
    }
    XCTAssertGreaterThan(accepted, 0)
  }
}
