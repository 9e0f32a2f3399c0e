import Foundation
import TestSupport
import Testing
import XCTest

@testable import LowBitOptimizers

/// A run in shards and a whole one hold the same codes.
final class StateSliceTests: XCTestCase {
  private let makers: [(block: Int, make: () -> LowBitOptimizer)] = [
    (256, { Adam8bit(learningRate: 1e-2) }), (64, { AdamW8bit(learningRate: 1e-2, blockSize: 64) }),
    (128, { AdamW32(learningRate: 1e-2, blockSize: 128) }), (256, { Momentum8bit(learningRate: 0.1) }),
    (256, { Momentum32(learningRate: 0.1) }), (128, { AdamW4bit(learningRate: 1e-2) }),
    (128, { Adam3bit(learningRate: 1e-2) }), (64, { AdamW2bit(learningRate: 1e-2, blockSize: 64) }),
    (128, { Momentum4bit(learningRate: 0.1) }), (128, { Momentum3bit(learningRate: 0.1) }),
    (256, { Momentum2bit(learningRate: 0.1, blockSize: 256) }),
    (
      128,
      {
        AdamWMixed(
          firstMoment: .dynamic4.scaled(by: .signedExtreme), secondMoment: .logarithmic(bits: 4, quantile: .exact(0.2)))
      }
    ),
  ]

  private func gradient(_ step: Int, _ count: Int) -> [Float] {
    var generator = SeededGenerator(quietly: UInt64(step))
    return (0..<count).map { _ in generator.normal() }
  }

  /// Whole for three steps, then in 2, 3 and 8 shards of whole blocks for three, then whole again.
  func testShardsHoldTheCodesOfTheWhole() throws {
    let count = 5003
    let folder = try TemporaryFolder()
    for (blockSize, make) in makers {
      for shardCount in [2, 3, 8] {
        let straight = make()
        let whole = make()
        for optimizer in [straight, whole] { optimizer.seed = 5 }
        var expected = gradient(100, count)
        for step in 1...3 { straight.update("w", &expected, along: gradient(step, count)) }
        var parameter = gradient(100, count)
        for step in 1...3 { whole.update("w", &parameter, along: gradient(step, count)) }
        let blockCount = whole.blockCount(of: "w")
        XCTAssertEqual(whole.blockSize(of: "w"), blockSize)
        XCTAssertEqual(blockCount, (count + blockSize - 1) / blockSize)

        var slices: [StateSlice] = []
        for shard in 0..<shardCount {
          let blocks = blockCount * shard / shardCount..<blockCount * (shard + 1) / shardCount
          let elements = blocks.lowerBound * blockSize..<min(blocks.upperBound * blockSize, count)
          let optimizer = make()
          optimizer.seed = 5
          optimizer.merge([whole.extract(blocks: blocks, of: "w")], as: "w")
          // A shard is saved and restored like any other state, though by itself it would be small.
          try optimizer.save(to: folder.file("shard"))
          let restored = make()
          try restored.restore(from: folder.file("shard"))
          var part = Array(parameter[elements])
          for step in 4...6 { restored.update("w", &part, along: Array(gradient(step, count)[elements])) }
          parameter.replaceSubrange(elements, with: part)
          slices.append(restored.extract(of: "w"))
        }
        for step in 4...6 { straight.update("w", &expected, along: gradient(step, count)) }
        XCTAssertEqual(parameter, expected)
        let merged = make()
        merged.seed = 5
        merged.merge(slices, as: "w")
        XCTAssertTrue(
          OptimizerSnapshot(merged).regions == OptimizerSnapshot(straight).regions, "\(shardCount) shards of \(merged)")
        XCTAssertEqual(merged.stepCount(of: "w"), 6)
        merged.learningRate = straight.learningRate
        merged.update("w", &parameter, along: gradient(7, count))
        straight.update("w", &expected, along: gradient(7, count))
        XCTAssertEqual(parameter, expected)
      }
    }
  }

  /// A slice of a slice knows its place in the whole, and so does what is merged from slices that begin in the middle.
  func testSlicesOfSlicesKeepTheirPlace() {
    let (whole, shard) = (Adam2bit(learningRate: 1e-2), Adam2bit(learningRate: 1e-2))
    var expected = gradient(100, 5003)
    whole.update("w", &expected, along: gradient(1, 5003))
    shard.merge([whole.extract(blocks: 5..<30, of: "w")], as: "w")
    shard.merge([shard.extract(blocks: 2..<6, of: "w"), shard.extract(blocks: 6..<20, of: "w")], as: "w")
    XCTAssertEqual(shard.states["w"]?.firstBlock, 7)
    let elements = 7 * 128..<25 * 128
    var part = Array(expected[elements])
    for step in 2...4 {
      whole.update("w", &expected, along: gradient(step, 5003))
      shard.update("w", &part, along: Array(gradient(step, 5003)[elements]))
    }
    XCTAssertTrue(part == Array(expected[elements]))
    let same = Adam2bit()
    same.merge([whole.extract(blocks: 7..<25, of: "w")], as: "w")
    XCTAssertTrue(OptimizerSnapshot(same).regions == OptimizerSnapshot(shard).regions)
  }

  /// A slice that is converted is a slice of what is converted.
  func testConversionsOfSlicesAreSlicesOfConversions() {
    let adam32 = Adam32(blockSize: 128)
    adam32.seed = 11
    var parameter = gradient(100, 5003)
    for step in 1...3 { adam32.update("w", &parameter, along: gradient(step, 5003)) }
    let whole = Adam2bit(converting: adam32)
    let (slice, shard) = (Adam32(blockSize: 128), Adam2bit())
    slice.seed = 11
    slice.merge([adam32.extract(blocks: 9..<22, of: "w")], as: "w")
    let rule = SizeRule(minimumCount: 0)
    shard.merge([whole.extract(blocks: 9..<22, of: "w")], as: "w")
    XCTAssertTrue(
      OptimizerSnapshot(Adam2bit(converting: slice, sizeRule: rule)).regions == OptimizerSnapshot(shard).regions)
  }

  /// The shape is that of the whole parameter alone.
  func testTheWholeKeepsItsShape() {
    let optimizer = Adam8bit()
    var parameter = gradient(1, 96 * 128)
    optimizer.update("w", &parameter, along: parameter, shape: [96, 128])
    let copy = Adam8bit()
    copy.merge([optimizer.extract(of: "w")], as: "w")
    XCTAssertEqual(OptimizerSnapshot(copy), OptimizerSnapshot(optimizer))
    XCTAssertEqual(copy.states["w"]?.shape, [96, 128])
    copy.merge([optimizer.extract(blocks: 0..<20, of: "w")], as: "w")
    XCTAssertNil(copy.states["w"]?.shape)
  }

  /// Shards that were never parts of a whole say nothing about their order.
  func testShardsWithoutAWholeCanBeMerged() {
    let shards = (0..<3).map { shard in
      let optimizer = Adam3bit()
      optimizer.sizeRule.minimumCount = 0
      var parameter = gradient(shard, 256)
      optimizer.update("w", &parameter, along: parameter)
      return optimizer
    }
    let merged = Adam3bit()
    merged.merge(shards.map { $0.extract(of: "w") }, as: "w")
    XCTAssertEqual(merged.moments(of: "w")?.second, shards.flatMap { $0.moments(of: "w")!.second! })
  }

  func testEveryBlockBoundary() {
    let optimizer = Adam8bit(blockSize: 64)
    optimizer.sizeRule.minimumCount = 0
    var parameter = gradient(1, 500)
    optimizer.update("w", &parameter, along: gradient(2, 500))
    let whole = OptimizerSnapshot(optimizer)
    for boundary in 0...optimizer.blockCount(of: "w") {
      let first = optimizer.extract(blocks: 0..<boundary, of: "w")
      let second = optimizer.extract(blocks: boundary..<optimizer.blockCount(of: "w"), of: "w")
      XCTAssertEqual(first.count, min(64 * boundary, 500))
      XCTAssertEqual(first.count + second.count, 500)
      XCTAssertEqual(first.byteCount + second.byteCount, optimizer.stateByteCount)
      optimizer.merge([first, second], as: "w")
      XCTAssertEqual(OptimizerSnapshot(optimizer), whole)
    }
  }
}

/// Slices that do not fit are mistakes of the calling program.
struct StateSliceErrorTests {
  private static func optimizer(_ count: Int = 600) -> Adam8bit {
    let optimizer = Adam8bit()
    optimizer.sizeRule.minimumCount = 0
    var parameter = [Float](repeating: 1, count: count)
    optimizer.update("w", &parameter, along: parameter)
    return optimizer
  }

  @Test func whatDoesNotFitStops() async {
    await #expect(processExitsWith: .failure) { _ = Self.optimizer().extract(blocks: 0..<4, of: "w") }
    await #expect(processExitsWith: .failure) { _ = Self.optimizer().extract(of: "v") }
    await #expect(processExitsWith: .failure) { Self.optimizer().merge([], as: "w") }
    await #expect(processExitsWith: .failure) { AdamW32().merge([Self.optimizer().extract(of: "w")], as: "w") }
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let slice = Self.optimizer().extract(of: "w")
      Adam8bit().merge([slice, slice], as: "w")
    }
    let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(message.contains("w: slice 0 has 600 elements, no multiple of 256"))
  }

  @Test func slicesThatDoNotFollowEachOtherStop() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let whole = Self.optimizer(4 * 256)
      let (first, last) = (whole.extract(blocks: 0..<2, of: "w"), whole.extract(blocks: 3..<4, of: "w"))
      whole.merge([first, last], as: "w")
    }
    let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(message.contains("w: slice 1 begins at block 3, not 2"))
    await #expect(processExitsWith: .failure) {
      let whole = Self.optimizer(4 * 256)
      whole.merge([whole.extract(blocks: 2..<4, of: "w"), whole.extract(blocks: 0..<2, of: "w")], as: "w")
    }
  }

  @Test func scalesPerRowAndColumnCannotBeCut() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let optimizer = Adam4bit()
      var parameter = [Float](repeating: 1, count: 96 * 128)
      optimizer.update("w", &parameter, along: parameter, shape: [96, 128])
      _ = optimizer.extract(blocks: 0..<1, of: "w")
    }
    let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(message.contains("w: block=256 first=normalFloat4 second=linear4Unsigned-rankOne cannot be cut"))
  }
}
