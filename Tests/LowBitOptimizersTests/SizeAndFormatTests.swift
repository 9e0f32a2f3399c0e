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
