import LowBitOptimizers
import XCTest

final class SizeAndFormatTests: XCTestCase {
  private func report(_ optimizer: LowBitOptimizer, _ counts: [Int]) -> StateReport {
    for count in counts {
      var parameter = [Float](repeating: 1, count: count)
      optimizer.update(ParameterKey(count), &parameter, along: [Float](repeating: 0.5, count: count))
    }
    return optimizer.report()
  }

  private let counts = [0, 1, 255, 256, 257, 4095, 4096, 4097, 1_000_003]

  func testEverySizeHasTheDocumentedFormat() throws {
    let optimizer = Adam8bit()
    let report = report(optimizer, counts)
    XCTAssertEqual(report.entries.count, counts.count)
    for count in counts {
      let entry = try XCTUnwrap(report.entries.first { $0.key == ParameterKey(count) })
      XCTAssertEqual(entry.count, count)
      if count < 4096 {
        XCTAssertEqual(entry.formats, ["float32", "float32"])
        XCTAssertEqual(entry.reason, .smallerThan(4096))
        XCTAssertEqual(entry.byteCount, 8 * count)
      } else {
        XCTAssertEqual(entry.formats, ["dynamic8 in blocks of 256", "dynamic8Unsigned in blocks of 256"])
        XCTAssertEqual(entry.reason, .largeEnough)
        XCTAssertEqual(entry.byteCount, 2 * count + 8 * ((count + 255) / 256))
      }
      XCTAssertEqual(optimizer.stepCount(of: ParameterKey(count)), 1)
    }
    XCTAssertEqual(report.byteCount, optimizer.stateByteCount)
    XCTAssertEqual(report.float32ByteCount, 8 * counts.reduce(0, +))
  }

  func testEverySizeMovesEveryElement() {
    for optimizer in [Adam8bit(learningRate: 0.5), Momentum8bit(learningRate: 1)] as [LowBitOptimizer] {
      optimizer.sizeRule.minimumCount = 0
      for count in counts {
        var parameter = [Float](repeating: 1, count: count)
        optimizer.update(ParameterKey(count), &parameter, along: [Float](repeating: 0.5, count: count))
        XCTAssertTrue(parameter.allSatisfy { ($0 - 0.5).magnitude < 1e-6 }, "\(count)")
      }
    }
  }

  func testBytesPerParameter() {
    let count = 1 << 16
    XCTAssertEqual(Double(report(Adam8bit(), [count]).byteCount) / Double(count), 2 + 8 / 256)
    XCTAssertEqual(Double(report(AdamW8bit(), [count]).byteCount) / Double(count), 2 + 8 / 256)
    XCTAssertEqual(Double(report(Momentum8bit(), [count]).byteCount) / Double(count), 1 + 4 / 256)
    XCTAssertEqual(Double(report(Adam8bit(blockSize: 2048), [count]).byteCount) / Double(count), 2 + 8 / 2048)
    XCTAssertEqual(Double(report(Adam32(), [count]).byteCount) / Double(count), 8)
    XCTAssertEqual(Double(report(Momentum32(), [count]).byteCount) / Double(count), 4)
    // Below 8 bits, in blocks of 128.
    for (optimizer, expected) in [
      (Adam4bit(), 1.0625), (AdamW4bit(), 1.0625), (Adam3bit(), 0.84375), (AdamW3bit(), 0.84375), (Adam2bit(), 0.59375),
      (AdamW2bit(), 0.59375), (Momentum4bit(), 0.53125), (Momentum3bit(), 0.40625), (Momentum2bit(), 0.28125),
      (AdamMixed(firstMoment: .dynamic4, secondMoment: .logarithmic2), 0.84375),
      (AdamWMixed(firstMoment: .dynamic8, secondMoment: .logarithmic4), 1.59375),
      (AdamMixed(firstMoment: .float32, secondMoment: .logarithmic3), 4.4375),
    ] as [(LowBitOptimizer, Double)] {
      XCTAssertEqual(Double(report(optimizer, [count]).byteCount) / Double(count), expected, "\(optimizer)")
    }
  }

  /// An optimizer that asks for scales per row and column says where it has none, and why.
  func testTheReportSaysWhyThereAreNoScalesPerRowAndColumn() throws {
    let optimizer = Adam4bit()
    let gradient = [Float](repeating: 0.5, count: 8192)
    var parameter = gradient
    for (name, shape) in [
      ("matrix", [64, 128]), ("narrow", [4, 2048]), ("unnamed", nil), ("vector", [8192]),
    ] as [(String, [Int]?)] {
      optimizer.update(ParameterKey(name), &parameter, along: gradient, shape: shape)
    }
    parameter.withUnsafeMutableBufferPointer { table in
      gradient.withUnsafeBufferPointer {
        optimizer.sizeRule.setMinimumCount(0, for: "table")
        for key in ["table", "table in 32 bits"] as [ParameterKey] {
          optimizer.update([TensorUpdate(key, table, along: $0, shape: [64, 128], role: .embedding)])
        }
      }
    }
    var small: [Float] = [1]
    optimizer.update("small", &small, along: [1], shape: [1, 1])
    let report = optimizer.report()
    let reasons = Dictionary(uniqueKeysWithValues: report.entries.map { ($0.key.name, $0.missingScales) })
    XCTAssertEqual(
      reasons,
      [
        "matrix": nil, "narrow": .narrowShape, "unnamed": .noShape, "vector": .oneDimension, "table": .embedding,
        "table in 32 bits": nil, "small": nil,
      ])
    let lines = report.description.split(separator: "\n").map(String.init)
    for (key, end) in [
      ("matrix", "(low bits)"), ("narrow", "(low bits; no scales per row and column: too narrow a shape)"),
      ("unnamed", "(low bits; no scales per row and column: no shape was named)"),
      ("vector", "(low bits; no scales per row and column: one dimension)"),
      ("table", "(low bits; no scales per row and column: embedding table)"),
    ] {
      let line = try XCTUnwrap(lines.first { $0.hasPrefix("\(key)   ") }, key)
      XCTAssertTrue(line.hasSuffix(end), line)
    }
    // Who does not ask for them misses none.
    let blocks = AdamMixed(firstMoment: .dynamic4, secondMoment: .linear4PerBlock)
    blocks.update("unnamed", &parameter, along: gradient)
    XCTAssertNil(blocks.report().entries[0].missingScales)
  }

  func testTheSizeRuleCanBeSetForAllAndForOne() {
    let optimizer = Adam8bit()
    optimizer.sizeRule.minimumCount = 257
    optimizer.sizeRule.keep32Bit("5000")
    optimizer.sizeRule.setMinimumCount(0, for: "1")
    optimizer.sizeRule.keep32Bit("typo")
    let report = report(optimizer, [1, 256, 257, 5000])
    XCTAssertEqual(report.entries.map(\.key), ["1", "256", "257", "5000"])
    XCTAssertEqual(report.entries.map(\.reason), [.largeEnough, .smallerThan(257), .largeEnough, .keptByRequest])
    XCTAssertEqual(report.unmatchedKeys, ["typo"])
    XCTAssertTrue(report.description.contains("typo"))
    XCTAssertTrue(report.description.contains("fewer than 257 elements"))
  }

  func testTheThresholdIsExact() {
    for minimum in [0, 1, 4095, 4096, 4097] {
      for count in [max(minimum - 1, 0), minimum, minimum + 1] where count > 0 {
        let optimizer = Momentum8bit()
        optimizer.sizeRule.minimumCount = minimum
        XCTAssertEqual(report(optimizer, [count]).entries[0].formats == ["float32"], count < minimum)
      }
    }
  }

  func testA32BitOptimizerSaysSo() {
    XCTAssertEqual(report(Adam32(), [10_000]).entries[0].reason, .optimizerIs32Bit)
  }

  func testMomentsAreWhatTheNextStepReads() throws {
    let optimizer = Adam8bit()
    optimizer.sizeRule.minimumCount = 0
    XCTAssertNil(optimizer.moments(of: "p"))
    var parameter: [Float] = [1, 2, 3]
    optimizer.update("p", &parameter, along: [0.1, -0.2, 0])
    let moments = try XCTUnwrap(optimizer.moments(of: "p"))
    let quantized = try XCTUnwrap(optimizer.quantizedMoments(of: "p"))
    XCTAssertEqual(moments.first, quantized.first?.decode())
    XCTAssertEqual(moments.second, quantized.second?.decode())
    // A copy: later steps do not reach it.
    optimizer.update("p", &parameter, along: [5, 5, 5])
    XCTAssertEqual(moments.first, quantized.first?.decode())
    optimizer.reset()
    XCTAssertNil(optimizer.moments(of: "p"))
    XCTAssertEqual(optimizer.stateByteCount, 0)
  }
}
