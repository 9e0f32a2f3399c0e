import CheckpointWorker
import Foundation
import XCTest

@testable import LowBitOptimizers

/// What only files of fewer than 8 bits have: shapes, seeds, slices of a whole, packed codes and logarithmic levels. For
/// every rule a file that breaks it.
final class LowBitCheckpointTests: XCTestCase {
  private func trained(_ optimizer: LowBitOptimizer) -> LowBitOptimizer {
    SmallModel.prepare(optimizer)
    SmallModel.update(optimizer) { Float($0) - 20 }
    return optimizer
  }

  /// A sound file without checksums, to change one thing in it.
  private func split(_ optimizer: LowBitOptimizer) throws -> SplitFile {
    SplitFile(try CheckpointFuzzTests.unsealed(checkpoint(of: trained(optimizer))))
  }

  private func start(_ name: String, in split: SplitFile) throws -> Int {
    try safetensors(split.header, split.data).withUnsafeBytes { bytes in
      let reader = try SafetensorsReader(MemorySource(bytes: bytes))
      return try XCTUnwrap(reader.tensor(name)).range.lowerBound
    }
  }

  func testShapes() throws {
    let split = try split(Adam4bit(blockSize: 64))
    let restored = Adam4bit()
    for shape in [
      "", "17", "17x18", "17x19x", "x17x19", "17xx19", "-17x-19", "+17x19", "17X19", "17x19.0", "0x323", "17x19x0",
      "17x190000000000000000000", "4294967296x4294967296", "9223372036854775807x9223372036854775807x2",
      "3689348814741910323x5x17x19", String(repeating: "1x", count: 31) + "17x19", "１７x19",
    ] {
      assertRefused(split.edited("shape=17x19", "shape=\(shape)"), by: restored, .invalidValue, "parameter/m", shape)
    }
    // Dimensions that have no scales per row and column, though their product is right.
    for shape in ["323", "1x323", "323x1", "1x1x323"] {
      assertRefused(split.edited("shape=17x19", "shape=\(shape)"), by: restored, .invalidValue, "parameter/m", shape)
    }
    assertRefused(split.edited(" shape=17x19", ""), by: restored, .invalidValue, "parameter/m", "no shape")
    assertRefused(
      split.edited("shape=17x19", "shape=17x19 shape=17x19"), by: restored, .malformed, "parameter/m", "twice")
    assertRefused(
      split.edited("shape=17x19", "shape=17x19 first_block=1"), by: restored, .malformed, "parameter/m", "the order")
    // As many scales as the dimensions' sum.
    assertRefused(
      split.edited("shape=17x19", "shape=1x17x19"), by: restored, .malformed, "m.absmax2", "another sum of dimensions")
    try restored.restore(bytes: split.edited("shape=17x19", "shape=19x17"))
    XCTAssertEqual(restored.states["m"]?.shape, [19, 17])
    // Without elements, a dimension may be anything.
    try restored.restore(bytes: split.edited("shape=0", "shape=0x9223372036854775807x9223372036854775807"))
    assertRefused(split.edited("shape=0", "shape=0x9223372036854775808"), by: restored, .invalidValue, "parameter/")
  }

  /// What the programs can write can be read again: scalars, no elements, and as many dimensions as there may be.
  func testEveryShapeThatCanBeWrittenCanBeRead() throws {
    for shape in [[], [1], [0], [0, .max], [0, 0], [.max, 0, .max], [Int](repeating: 1, count: 32)] as [[Int]] {
      for minimum in [0, 4096] {
        let optimizer = Adam4bit()
        optimizer.sizeRule.minimumCount = minimum
        var parameter = shape.contains(0) ? [] : [Float(1)]
        optimizer.update("p", &parameter, along: parameter, shape: shape)
        let restored = Adam4bit()
        try restored.restore(bytes: try checkpoint(of: optimizer))
        XCTAssertEqual(OptimizerSnapshot(restored), OptimizerSnapshot(optimizer), "\(shape)")
        XCTAssertEqual(restored.states["p"]?.shape, optimizer.states["p"]?.shape)
      }
    }
  }

  func testSeeds() throws {
    let saved = Adam2bit(blockSize: 64)
    saved.seed = 7
    let split = try split(saved)
    let restored = Adam2bit()
    for seed in ["0", "-1", "18446744073709551616", "7.0", "0x7", "", " 7"] {
      assertRefused(split.edited(#""seed":"7""#, #""seed":"\#(seed)""#), by: restored, .invalidValue, "metadata", seed)
    }
    for seed in [1, 7, .max] as [UInt64] {
      try restored.restore(bytes: split.edited(#""seed":"7""#, #""seed":"\#(seed)""#))
      XCTAssertEqual(restored.seed, seed)
    }
    try restored.restore(bytes: split.edited(#","seed":"7""#, ""))
    XCTAssertEqual(restored.seed, 0)
  }

  func testFirstBlocks() throws {
    let split = try split(Adam2bit(blockSize: 64))
    let restored = Adam2bit()
    let end = "second=logarithmic2 shape=150"
    for block in ["0", "-1", "281474976710657", "", "1e3", "9223372036854775808"] {
      let file = split.edited(end, "second=logarithmic2 first_block=\(block) shape=150")
      assertRefused(file, by: restored, .invalidValue, "parameter/a", block)
    }
    for block in [1, 1 << 48] {
      try restored.restore(bytes: split.edited(end, "second=logarithmic2 first_block=\(block) shape=150"))
      XCTAssertEqual(restored.states["a"]?.firstBlock, block)
      // The number still serves a step.
      var parameter = [Float](repeating: 1, count: 150)
      restored.update("a", &parameter, along: parameter)
    }
  }

  /// A quantile has one spelling, so that equal states write equal bytes.
  func testQuantiles() throws {
    func optimizer(_ quantile: Double) -> AdamMixed {
      AdamMixed(
        firstMoment: .dynamic4, secondMoment: .logarithmic(bits: 2, quantile: .exact(quantile)), blockSize: 64)
    }
    let split = try split(optimizer(0.1))
    let restored = optimizer(0.1)
    for text in [
      "0.10", "00.1", ".1", "+0.1", "1e-1", "1E-1", "0x1p-1", "nan", "inf", "-0.0", "-0.1", "1.1", "1", "0", "",
      "0.1000000000000000055", "1e400", "1e-400",
    ] {
      var file = split
      file.header = file.header.replacingOccurrences(of: "quantile0.1", with: "quantile\(text)")
      assertRefused(safetensors(file.header, file.data), by: restored, .unsupported, "formats", text)
    }
    for (quantile, text) in [
      (0, "0.0"), (-0.0, "0.0"), (1, "1.0"), (0.1, "0.1"), (1e-5, "1e-05"), (1.0 / 3, "0.3333333333333333"),
      (.leastNonzeroMagnitude, "5e-324"), (1 - .ulpOfOne / 2, "0.9999999999999999"),
    ] as [(Double, String)] {
      let saved = trained(optimizer(quantile))
      XCTAssertEqual(saved.formats.second?.identifier, "logarithmic2-quantile\(text)")
      let again = optimizer(quantile)
      try again.restore(bytes: try checkpoint(of: saved))
      XCTAssertEqual(OptimizerSnapshot(again), OptimizerSnapshot(saved), text)
    }
    // The fast quantile and an exact one are two formats.
    assertRefused(
      try checkpoint(of: trained(AdamMixed(firstMoment: .dynamic4, secondMoment: .logarithmic2))), by: restored,
      .mismatch, "formats")
  }

  /// No level may vanish: a second moment of zero beside a first one that is not would make a runaway step.
  func testLogarithmicLevels() throws {
    for bits in 2...4 {
      let saved = AdamMixed(
        firstMoment: .dynamic4, secondMoment: .logarithmic(bits: bits, quantile: .exact()), blockSize: 64)
      let split = try split(saved)
      let restored = AdamMixed(
        firstMoment: .dynamic4, secondMoment: .logarithmic(bits: bits, quantile: .exact()), blockSize: 64)
      let scale = try start("a.absmax2", in: split) + 4
      let base = try start("a.base2", in: split) + 4
      func file(_ newScale: Float, _ newBase: Float) -> [UInt8] {
        let first = SplitFile(split.withFloat(newScale, at: scale))
        return first.withFloat(newBase, at: base)
      }
      let least = Float.leastNormalMagnitude
      for wrong in [.nan, .infinity, -1, -0.0, 0, least.nextDown, Float(1).nextUp, 2] as [Float] {
        assertRefused(file(1, wrong), by: restored, .invalidValue, "a.base2[1]", "α = \(wrong)")
      }
      for wrong in [.nan, .infinity, -1, -.leastNonzeroMagnitude] as [Float] {
        assertRefused(file(wrong, 1), by: restored, .invalidValue, "a.absmax2[1]", "Δ = \(wrong)")
      }
      for (scale, base) in [
        (0, 0.5), (least.nextDown, 1), (1, 1e-30), (1e-30, 1e-3), (least, 0.999),
      ] as [(Float, Float)] {
        assertRefused(file(scale, base), by: restored, .invalidValue, "a.base2[1]", "Δ = \(scale), α = \(base)")
      }
      for (scale, base) in [
        (0, 1), (-0.0, 1), (least, 1), (.greatestFiniteMagnitude, 1), (.greatestFiniteMagnitude, 0.5), (1, 0.01),
      ] as [(Float, Float)] {
        try restored.restore(bytes: file(scale, base))
        let values = try XCTUnwrap(restored.moments(of: "a")?.second)[64..<128]
        XCTAssertTrue(values.allSatisfy { $0.isFinite && (scale == 0 ? $0 == 0 : $0.isNormal) }, "\(scale) \(base)")
      }
    }
  }

  /// Codes without gaps: zero bits after the last, and no block that ends within a byte.
  func testPackedCodes() throws {
    for (optimizer, bits, multiple) in [(Momentum4bit(), 4, 2), (Momentum3bit(), 3, 8), (Momentum2bit(), 2, 4)]
      as [(MomentumOptimizer, Int, Int)]
    {
      let saved = trained(optimizer)
      for (name, count) in [("a", 150), ("m", 323)] {
        let codes = try XCTUnwrap(saved.quantizedMoments(of: ParameterKey(name))?.first)
        XCTAssertEqual(codes.codes.count, (bits * count + 7) / 8)
        // Code i begins at bit i · bits.
        for (index, code) in codes.unpackedCodes.enumerated() {
          let value = (0..<bits).reduce(0) { value, bit in
            let place = bits * index + bit
            return value | Int(codes.codes[place / 8] >> UInt8(place % 8) & 1) << bit
          }
          XCTAssertEqual(value, Int(code), "\(name)[\(index)]")
        }
      }
      let split = try split(optimizer)
      let start = try start("m.state1", in: split)
      let byteCount = (323 * bits + 7) / 8
      for bit in 323 * bits..<8 * byteCount {
        var data = split.data
        data[start + bit / 8] |= 1 << UInt8(bit % 8)
        assertRefused(
          safetensors(split.header, data), by: optimizer, .invalidValue, "m.state1[\(byteCount - 1)]", "bit \(bit)")
      }
      for block in [127, 128 + multiple / 2] {
        assertRefused(split.edited("block=128", "block=\(block)"), by: optimizer, .unsupported, "", "block \(block)")
      }
    }
  }

  /// A parameter that comes after the restart has the blocks that it would have had.
  func testBlocksOfMatricesAreKept() throws {
    let split = try split(Adam4bit())
    let values = [Float](repeating: 0.5, count: 8192)
    let restored = Adam4bit(blockSize: 64)
    try restored.restore(bytes: safetensors(split.header, split.data))
    var parameter = values
    restored.update("new", &parameter, along: values, shape: [64, 128])
    restored.update("vector", &parameter, along: values)
    XCTAssertEqual(restored.states["new"]?.formats.blockSize, 256)
    XCTAssertEqual(restored.states["vector"]?.formats.blockSize, 128)
    for (wrong, kind) in [
      ("63", .invalidValue), ("4097", .invalidValue), ("", .invalidValue), ("129", .unsupported),
      ("256 matrix_block=256", .malformed),
    ] as [(String, CheckpointError.Kind)] {
      assertRefused(
        split.edited("matrix_block=256", "matrix_block=\(wrong)"), by: restored, kind, "formats", wrong)
    }
    assertRefused(
      split.edited("second=linear4Unsigned-rankOne shape", "second=linear4Unsigned-rankOne matrix_block=256 shape"),
      by: restored, .malformed, "parameter/m", "a parameter has one block size")
  }

  /// A parameter may have blocks where the optimizer asks for scales per row and column, never the other way round.
  func testScalesPerRowAndColumnAreOfTheOptimizer() throws {
    let rows = try split(Adam4bit(blockSize: 64))
    let blocks = AdamMixed(firstMoment: .normalFloat4, secondMoment: .linear4PerBlock, blockSize: 64)
    assertRefused(
      rows.edited("first=normalFloat4 second=linear4Unsigned-rankOne\"", "first=normalFloat4 second=linear4Unsigned\""),
      by: blocks, .mismatch, "parameter/m")
    var all = rows
    all.header = all.header.replacingOccurrences(of: "linear4Unsigned-rankOne", with: "linear4Unsigned")
    assertRefused(safetensors(all.header, all.data), by: blocks, .malformed, "m.absmax2")
    for wrong in ["dynamic3-rankOne", "dynamic8-rankOne", "dynamic4-rankOne-rankOne", "logarithmic4-rankOne"] {
      let file = rows.edited("second=linear4Unsigned-rankOne shape", "second=\(wrong) shape")
      assertRefused(file, by: Adam4bit(), .unsupported, "parameter/m", wrong)
    }
    for wrong in ["logarithmic2", "linear4Unsigned"] {
      let file = rows.edited("block=64 first=normalFloat4", "block=64 first=\(wrong)")
      assertRefused(file, by: Adam4bit(), .invalidValue, "", wrong)
    }
  }
}
