import BlockQuantization
import CheckpointWorker
import Foundation
import TestSupport
import Testing
import XCTest

@testable import LowBitOptimizers

/// Files, conversions, slices and reports of second moments that are means of rows and columns.
final class FactoredCheckpointTests: XCTestCase {
  private func optimizer() -> AdamMixed {
    AdamMixed(firstMoment: .normalFloat4, secondMoment: .factored, blockSize: 64)
  }

  private func trained(_ optimizer: LowBitOptimizer) -> LowBitOptimizer {
    SmallModel.prepare(optimizer)
    SmallModel.update(optimizer) { Float($0) - 20 }
    return optimizer
  }

  /// A sound file without checksums, to change one thing in it.
  private func split(_ optimizer: LowBitOptimizer) throws -> SplitFile {
    SplitFile(try CheckpointFuzzTests.unsealed(checkpoint(of: trained(optimizer))))
  }

  func testAFileHoldsShapeAndMeans() throws {
    let saved = trained(optimizer())
    let file = try checkpoint(of: saved)
    let moment = try XCTUnwrap(saved.factoredMoment(of: "m"))
    XCTAssertEqual(moment.shape, [17, 19])
    let split = SplitFile(file)
    XCTAssertTrue(split.header.contains("second=factored shape=17x19"))
    try file.withUnsafeBytes { bytes in
      let reader = try SafetensorsReader(MemorySource(bytes: bytes))
      for (name, means) in [("m.rows2", moment.rowMeans), ("m.columns2", moment.columnMeans)] {
        let tensor = try XCTUnwrap(reader.tensor(name))
        XCTAssertEqual(tensor.type, .f32)
        let values: [Float] = try reader.values(tensor)
        XCTAssertEqual(values, means)
      }
      XCTAssertNil(reader.tensor("m.state2"))
    }
    let restored = AdamMixed(firstMoment: .normalFloat4, secondMoment: .factored)
    try restored.restore(bytes: file)
    XCTAssertTrue(OptimizerSnapshot(restored) == OptimizerSnapshot(saved))
    XCTAssertEqual(restored.factoredMoment(of: "m"), moment)
  }

  func testWrongMeansAreRefused() throws {
    let split = try split(optimizer())
    let restored = optimizer()
    for part in ["rows2", "columns2"] {
      let start = try safetensors(split.header, split.data).withUnsafeBytes { bytes in
        try XCTUnwrap(try SafetensorsReader(MemorySource(bytes: bytes)).tensor("m.\(part)")).range.lowerBound
      }
      for wrong in [.nan, .infinity, -.infinity, -1, -.leastNonzeroMagnitude] as [Float] {
        let file = split.withFloat(wrong, at: start + 12)
        assertRefused(file, by: restored, .invalidValue, "m.\(part)[3]", "\(wrong)")
      }
      for sound in [0, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude] as [Float] {
        try restored.restore(bytes: split.withFloat(sound, at: start + 12))
        let values = try XCTUnwrap(restored.moments(of: "m")?.second)
        XCTAssertTrue(values.allSatisfy { $0.isFinite && $0 >= 0 }, "\(sound)")
        // A step can follow.
        var parameter = [Float](repeating: 1, count: 323)
        restored.update("m", &parameter, along: parameter, shape: [17, 19])
        XCTAssertTrue(parameter.allSatisfy(\.isFinite), "\(sound)")
      }
      assertRefused(split.edited("\"m.\(part)\"", "\"m.x\""), by: restored, .malformed, "m.\(part)", "missing")
    }
  }

  func testWrongShapesAreRefused() throws {
    let split = try split(optimizer())
    let restored = optimizer()
    // Without a shape, of one dimension, and with means that outgrow the codes.
    for shape in ["", " shape=323", " shape=1x323", " shape=323x1", " shape=17x19x1", " shape=17x1x19"] {
      assertRefused(split.edited(" shape=17x19", shape), by: restored, .invalidValue, "parameter/m", shape)
    }
    // The product is right, and the numbers of rows and columns are not.
    assertRefused(split.edited("shape=17x19", "shape=19x17"), by: restored, .malformed, "m.rows2")
    // One matrix in a tensor of more dimensions is the same matrix.
    try restored.restore(bytes: split.edited("shape=17x19", "shape=1x1x17x19"))
    XCTAssertEqual(restored.states["m"]?.shape, [1, 1, 17, 19])
    // Other shapes are no matter of a parameter in blocks.
    try restored.restore(bytes: split.edited(" shape=150", " shape=10x15"))
  }

  func testWrongFormatsAreRefused() throws {
    let split = try split(optimizer())
    let restored = optimizer()
    let line = "block=64 first=normalFloat4 second=factored shape"
    assertRefused(
      split.edited(line, "block=64 first=factored second=factored shape"), by: restored, .invalidValue, "parameter/m")
    assertRefused(
      split.edited(line, "block=65 first=float32 second=factored shape"), by: restored, .unsupported, "parameter/m")
    for wrong in ["factored-rankOne", "factored4", "Factored"] {
      let file = split.edited(line, "block=64 first=normalFloat4 second=\(wrong) shape")
      assertRefused(file, by: restored, .unsupported, "parameter/m", wrong)
    }
    // An embedding's rows move one by one.
    let step = "count=323 step=1 role="
    assertRefused(split.edited(step + "weight", step + "embedding"), by: restored, .invalidValue, "parameter/m")
    // A parameter may have blocks in an optimizer that asks for means, never the other way round.
    let blocks = AdamMixed(firstMoment: .normalFloat4, secondMoment: .linear4PerBlock, blockSize: 64)
    assertRefused(
      split.edited("first=normalFloat4 second=factored\"", "first=normalFloat4 second=linear4Unsigned\""), by: blocks,
      .mismatch, "parameter/m")
    assertRefused(try checkpoint(of: trained(optimizer())), by: blocks, .mismatch, "formats")
    assertRefused(try checkpoint(of: trained(blocks)), by: restored, .mismatch, "formats")
  }

  /// From 32 bits and back: means of the values, and their products.
  func testConversions() throws {
    let adam = Adam32()
    var generator = SeededGenerator()
    var parameter = (0..<6000).map { _ in generator.normal() }
    let shape = [2, 50, 60]
    for _ in 0..<3 {
      let gradient = (0..<6000).map { exp2(-Float($0 / 60 % 7)) * generator.normal() }
      adam.update("w", &parameter, along: gradient, shape: shape)
    }
    let exact = try XCTUnwrap(adam.moments(of: "w")?.second)
    let factored = AdamMixed(converting: adam, firstMoment: .dynamic8, secondMoment: .factored)
    let moment = try XCTUnwrap(factored.factoredMoment(of: "w"))
    XCTAssertTrue(moment == plainMeans(of: exact, shape))
    let back = try XCTUnwrap(Adam32(converting: factored).moments(of: "w")?.second)
    for matrix in 0..<2 {
      let rows = moment.rowMeans[matrix * 50..<(matrix + 1) * 50]
      let mean = rows.reduce(0) { $0 + Double($1) } / 50
      for (row, rowMean) in rows.enumerated() {
        for column in 0..<60 {
          let expected = Double(rowMean) * Double(moment.columnMeans[60 * matrix + column]) / mean
          let index = (matrix * 50 + row) * 60 + column
          XCTAssertEqual(Double(back[index]), expected, accuracy: 2e-7 * expected)
        }
      }
    }
    // The means of the products are the means: another conversion adds rounding alone.
    let again = AdamMixed(
      converting: Adam32(converting: factored), firstMoment: .float32, secondMoment: .factored)
    let means = try XCTUnwrap(again.factoredMoment(of: "w"))
    for (new, old) in zip(means.rowMeans + means.columnMeans, moment.rowMeans + moment.columnMeans) {
      XCTAssertEqual(new, old, accuracy: 1e-6 * old)
    }
    // A second moment that has overflowed.
    adam.states["w"]!.second!.encode([Float](repeating: .infinity, count: 6000))
    let saturated = AdamMixed(converting: adam, firstMoment: .float32, secondMoment: .factored)
    XCTAssertTrue(saturated.factoredMoment(of: "w")!.rowMeans.allSatisfy { $0 == .greatestFiniteMagnitude })
  }

  func testFormatsBytesAndTheReport() throws {
    let optimizer = AdamWMixed(firstMoment: .normalFloat4, secondMoment: .factored)
    let gradient = [Float](repeating: 0.5, count: 1 << 20)
    var parameter = gradient
    for (name, shape) in [
      ("matrix", [1024, 1024]), ("batch", [16, 256, 256]), ("kernel", [256, 512, 4, 2]), ("narrow", [4, 1 << 18]),
      ("unnamed", nil), ("vector", [1 << 20]),
    ] as [(String, [Int]?)] {
      optimizer.update(ParameterKey(name), &parameter, along: gradient, shape: shape)
    }
    parameter.withUnsafeMutableBufferPointer { table in
      gradient.withUnsafeBufferPointer {
        optimizer.sizeRule.setMinimumCount(0, for: "table")
        optimizer.update([TensorUpdate("table", table, along: $0, shape: [1024, 1024], role: .embedding)])
      }
    }
    let report = optimizer.report()
    let first = 1 << 19 + 4 << 13
    let bytes = Dictionary(uniqueKeysWithValues: report.entries.map { ($0.key.name, $0.byteCount - first) })
    XCTAssertEqual(
      bytes,
      [
        "matrix": 4 * 2048, "batch": 4 * 16 * 512, "kernel": first, "narrow": first, "unnamed": first, "vector": first,
        "table": first,
      ])
    let reasons = Dictionary(uniqueKeysWithValues: report.entries.map { ($0.key.name, $0.missingScales) })
    XCTAssertEqual(
      reasons,
      [
        "matrix": nil, "batch": nil, "kernel": .narrowShape, "narrow": .narrowShape, "unnamed": .noShape,
        "vector": .oneDimension, "table": .embedding,
      ])
    XCTAssertEqual(
      report.entries.first { $0.key == "matrix" }?.formats,
      ["normalFloat4 in blocks of 128", "means of rows and columns"])
    let lines = report.description.split(separator: "\n")
    let line = try XCTUnwrap(lines.first { $0.hasPrefix("vector ") })
    XCTAssertTrue(line.hasSuffix("(low bits; no means of rows and columns: one dimension)"), "\(line)")
    // The paper's code keeps such a second moment in codes, as here.
    guard case .blocks(let tensor)? = optimizer.quantizedMoments(of: "vector")?.second else { return XCTFail("vector") }
    XCTAssertEqual(tensor.quantizer, BlockQuantizer(.linear4Unsigned, blockSize: 128))

    // Each moment for itself: a kernel has scales per row and column, but no means.
    let both = AdamMixed(firstMoment: .normalFloat4.perRowAndColumn, secondMoment: .factored)
    both.update("kernel", &parameter, along: gradient, shape: [256, 512, 4, 2])
    XCTAssertEqual(both.report().entries[0].missingScales, .narrowShape)
    XCTAssertTrue(both.report().description.contains("no means of rows and columns: too narrow a shape"))
  }

  /// An embedding's second moment is in blocks, of which an update of some rows moves those of these rows alone.
  func testEmbeddingsTakeBlocks() throws {
    let optimizer = optimizer()
    optimizer.sizeRule.setMinimumCount(0, for: "token.weight")
    let embedding = StableEmbedding(vocabularySize: 100, dimension: 32, seed: 3, name: "token")
    let before = embedding.weight
    let rows = try embedding.forward([3, 50, 3])
    embedding.backward(rows)
    embedding.update(with: optimizer)
    guard case .blocks? = optimizer.quantizedMoments(of: "token.weight")?.second else { return XCTFail("no blocks") }
    for row in 0..<100 {
      let range = row * 32..<(row + 1) * 32
      XCTAssertEqual(embedding.weight[range] != before[range], row == 3 || row == 50, "row \(row)")
    }
  }
}

struct FactoredErrorTests {
  private static func trained() -> AdamMixed {
    let optimizer = AdamMixed(firstMoment: .dynamic4, secondMoment: .factored)
    var parameter = [Float](repeating: 1, count: 96 * 128)
    optimizer.update("w.weight", &parameter, along: parameter, shape: [96, 128])
    return optimizer
  }

  @Test func meansCannotBeCut() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = Self.trained().extract(blocks: 0..<1, of: "w.weight")
    }
    let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(message.contains("w.weight: block=128 first=dynamic4 second=factored cannot be cut"))
  }

  @Test func meansHaveAShape() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var parameter = [Float](repeating: 1, count: 96 * 128)
      Self.trained().update("w.weight", &parameter, along: parameter, shape: [128, 96])
    }
    let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(message.contains("w.weight: the parameter has shape [128, 96], its state [96, 128]"))
  }

  @Test func singleRowsNeedBlocks() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let embedding = StableEmbedding(vocabularySize: 96, dimension: 128, name: "w")
      embedding.backward(try embedding.forward([1]))
      embedding.update(with: Self.trained())
    }
    let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(message.contains("w.weight: its state is block=128 first=dynamic4 second=factored, an update of single"))
  }

  @Test func blockSizesServeVectorsToo() async {
    await #expect(processExitsWith: .failure) {
      _ = AdamMixed(firstMoment: .float32, secondMoment: .factored, blockSize: 129)
    }
  }
}
