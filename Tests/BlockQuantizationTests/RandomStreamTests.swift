import Foundation
import TestSupport
import TileKernels
import XCTest

@testable import BlockQuantization

final class RandomStreamTests: XCTestCase {
  private func numbers(
    _ count: Int, seed: UInt64 = 1, key: String = "w", moment: Int = 2, step: Int = 1, block: Int = 0
  ) -> [Float] {
    let stream = RandomStream(seed: seed, keyHash: RandomStream.hash(of: key), moment: moment, step: step)
    return [Float](unsafeUninitializedCapacity: count) { buffer, initializedCount in
      stream.fill(block: block, count: count, uniforms: buffer.baseAddress!, .current)
      initializedCount = count
    }
  }

  func testTheHashOfAKeyIsThePublishedOne() {
    XCTAssertEqual(RandomStream.hash(of: ""), 0xcbf2_9ce4_8422_2325)
    XCTAssertEqual(RandomStream.hash(of: "a"), 0xaf63_dc4c_8601_ec8c)
    XCTAssertEqual(RandomStream.hash(of: "foobar"), 0x8594_4171_f739_67e8)
  }

  func testNumbersAreTheSameForEverAndEverywhere() {
    // By another program, written from the definition.
    XCTAssertEqual(numbers(4).map { Int($0 * 16_777_216) }, [4_577_535, 6_215_568, 15_861_333, 7_078_994])
    XCTAssertEqual(Array(numbers(128)[..<17]), numbers(17))
  }

  func testEverythingThatNamesAStreamMatters() {
    let streams = [
      numbers(128), numbers(128, seed: 2), numbers(128, seed: 1 << 40), numbers(128, key: "v"), numbers(128, moment: 1),
      numbers(128, step: 2), numbers(128, block: 1), numbers(128, moment: 1, step: 2), numbers(128, moment: 2, step: 3),
    ]
    for (index, a) in streams.enumerated() {
      for b in streams[..<index] {
        // Independent numbers of 24 bits: not one place in common, as good as always.
        XCTAssertLessThan(zip(a, b).count { $0 == $1 }, 2)
        XCTAssertLessThan(abs(correlation(a, b)), 0.4)
      }
    }
  }

  private func correlation(_ a: [Float], _ b: [Float]) -> Double {
    zip(a, b).reduce(0.0) { $0 + (Double($1.0) - 0.5) * (Double($1.1) - 0.5) } * 12 / Double(a.count)
  }

  /// 2^20 numbers as a step draws them: block after block of 128. The bounds are six standard deviations.
  func testStatistics() {
    var generator = SeededGenerator()
    let seed = generator.next()
    let blocks = 1 << 13
    let all = (0..<blocks).map { numbers(128, seed: seed, block: $0) }
    let flat = Array(all.joined())
    let count = Double(flat.count)
    let deviation = 6 / count.squareRoot()
    XCTAssertTrue(flat.allSatisfy { (0..<1).contains($0) })
    XCTAssertEqual(flat.reduce(0.0) { $0 + Double($1) } / count, 0.5, accuracy: deviation * (1 / 12.0).squareRoot())
    XCTAssertEqual(correlation(flat, flat), 1, accuracy: deviation * 0.9)
    // Neighbours, the same place of neighbouring blocks, and squares, which show a common scale.
    for lag in [1, 2, 3, 64, 127, 128, 129, 256] {
      let pairs = Array(flat[lag...])
      XCTAssertEqual(correlation(Array(flat[..<pairs.count]), pairs), 0, accuracy: deviation, "lag \(lag)")
    }
    for bit in 0..<24 {
      let ones = flat.count { Int($0 * 16_777_216) >> bit & 1 == 1 }
      XCTAssertEqual(Double(ones) / count, 0.5, accuracy: deviation / 2, "bit \(bit)")
    }
    // Each of the 128 places on its own, over the blocks.
    for place in 0..<128 {
      let mean = all.reduce(0.0) { $0 + Double($1[place]) } / Double(blocks)
      XCTAssertEqual(mean, 0.5, accuracy: 6 * (1 / 12.0 / Double(blocks)).squareRoot(), "place \(place)")
    }
    // 256 equal cells: the sum of squares has mean 255 and standard deviation √510.
    var cells = [Double](repeating: 0, count: 256)
    for number in flat { cells[Int(number * 256)] += 1 }
    let chiSquared = cells.reduce(0) { $0 + ($1 - count / 256) * ($1 - count / 256) / (count / 256) }
    XCTAssertEqual(chiSquared, 255, accuracy: 6 * 510.0.squareRoot())
  }

  /// Successive steps at one place, whose names differ in few bits.
  func testStepsAreIndependent() {
    let steps = (0..<20_000).map { numbers(1, step: $0)[0] }
    let deviation = 6 / Double(steps.count).squareRoot()
    for lag in [1, 2, 4, 256, 1024] {
      let later = Array(steps[lag...])
      XCTAssertEqual(correlation(Array(steps[..<later.count]), later), 0, accuracy: deviation, "lag \(lag)")
    }
    XCTAssertEqual(steps.reduce(0.0) { $0 + Double($1) } / Double(steps.count), 0.5, accuracy: 0.3 * deviation)
  }
}
