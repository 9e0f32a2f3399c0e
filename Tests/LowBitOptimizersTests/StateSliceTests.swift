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
    (256, { Momentum32(learningRate: 0.1) }),
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
        merged.merge(slices, as: "w")
        XCTAssertEqual(OptimizerSnapshot(merged).regions, OptimizerSnapshot(straight).regions, "\(shardCount) shards")
        XCTAssertEqual(merged.stepCount(of: "w"), 6)
        merged.learningRate = straight.learningRate
        merged.update("w", &parameter, along: gradient(7, count))
        straight.update("w", &expected, along: gradient(7, count))
        XCTAssertEqual(parameter, expected)
      }
    }
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
}
