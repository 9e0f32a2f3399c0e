import Foundation
import TestSupport
import XCTest

@testable import BlockQuantization

/// What few bits do to an exponential moving average: experiments of "Pushing the Limits of Low-Bit Optimizers".
final class LogarithmicDynamicsTests: XCTestCase {
  /// 1000 averages that start at 1 and receive uniform signals from 0 to 1, stored after each of 100 steps. Returns their
  /// mean.
  private func meanAfter100Steps(
    decay: Float, _ generator: inout SeededGenerator, _ stored: ([Float], Int) -> [Float]
  ) -> Float {
    var averages = [Float](repeating: 1, count: 1000)
    for step in 0..<100 {
      averages = stored(averages.map { decay * $0 + (1 - decay) * generator.uniform() }, step)
    }
    return averages.reduce(0, +) / 1000
  }

  /// Nearest rounding in one block scaled by its largest value.
  private func nearest(_ levels: [Float]) -> ([Float], Int) -> [Float] {
    let thresholds = zip(levels, levels.dropFirst()).map { ($0 + $1) / 2 }
    return { values, _ in
      let largest = values.max()!
      return values.map { value in levels[thresholds.count { value / largest > $0 }] * largest }
    }
  }

  /// Linear and dynamic exponent levels freeze where half the gap below the top level exceeds 1 − β; the logarithmic
  /// levels never do (the paper's section 3.1, with the states in blocks of 1000).
  func testSignalSwamping() {
    var generator = SeededGenerator()
    let exact = { (values: [Float], _: Int) in values }
    for bits in 2...4 {
      // The paper's linear map here holds 0.
      let linear = (0..<1 << bits).map { Float($0) / Float(1 << bits - 1) }
      let dynamic = DynamicMap(bits: bits, sign: .unsigned).values
      for (name, levels) in [("linear", linear), ("dynamic exponent", dynamic)] {
        let freezes = 1 - (levels[levels.count - 1] - levels[levels.count - 2]) / 2
        let frozen = meanAfter100Steps(decay: freezes + 0.003, &generator, nearest(levels))
        // The largest value itself shrinks a little.
        XCTAssertEqual(frozen, 1, accuracy: 0.005, "\(name), \(bits) bits, β = \(freezes + 0.003)")
        let moving = meanAfter100Steps(decay: freezes - 0.06, &generator, nearest(levels))
        XCTAssertLessThan(moving, 0.95, "\(name), \(bits) bits, β = \(freezes - 0.06)")
      }
      let quantizer = LogarithmicQuantizer(bits: bits, blockSize: 1000)
      let seed = generator.next()
      for decay in [0.8, 0.84, 0.89, 0.935, 0.95, 0.97, 0.99] as [Float] {
        let truth = meanAfter100Steps(decay: decay, &generator, exact)
        let stored = meanAfter100Steps(decay: decay, &generator) { values, step in
          quantizer.encode(values, seed: seed &+ UInt64(step)).decode()
        }
        XCTAssertLessThan(stored, truth + 0.08, "logarithmic, \(bits) bits, β = \(decay)")
        XCTAssertGreaterThan(stored, truth - 0.03, "logarithmic, \(bits) bits, β = \(decay)")
      }
    }
  }

  /// `LOWBIT_FIGURES` names a folder that the documentation's figure is drawn into.
  func testFigureOfSignalSwamping() throws {
    guard let folder = ProcessInfo.processInfo.environment["LOWBIT_FIGURES"] else {
      throw XCTSkip("LOWBIT_FIGURES names no folder")
    }
    var generator = SeededGenerator()
    let decays = (0...38).map { Float(160 + $0) / 200 }
    var lines: [FigureLine] = []
    func add(_ name: String, _ color: String, _ bits: Int, _ stored: @escaping ([Float], Int) -> [Float]) {
      let means = decays.map { meanAfter100Steps(decay: $0, &generator, stored) }
      lines.append(FigureLine(name: name, color: color, width: bits, points: Array(zip(decays, means))))
    }
    for bits in 2...4 {
      add("linear", "#d55e00", bits, nearest((0..<1 << bits).map { Float($0) / Float(1 << bits - 1) }))
      add("dynamic exponent", "#0072b2", bits, nearest(DynamicMap(bits: bits, sign: .unsigned).values))
      let quantizer = LogarithmicQuantizer(bits: bits, blockSize: 1000)
      let seed = generator.next()
      add("logarithmic", "#009e73", bits) { quantizer.encode($0, seed: seed &+ UInt64($1)).decode() }
    }
    add("float32", "#222222", 1) { values, _ in values }
    let file = URL(fileURLWithPath: folder).appendingPathComponent("signal-swamping.svg")
    try Data(FigureLine.drawing(lines).utf8).write(to: file)
  }

  /// The values at which the paper's figure marks the freezing.
  func testWhereLevelsFreeze() {
    let dynamic = (2...4).map { bits in
      let levels = DynamicMap(bits: bits, sign: .unsigned).values
      return 1 - (1 - levels[levels.count - 2]) / 2
    }
    for (computed, marked) in zip(dynamic, [0.887, 0.944, 0.973] as [Float]) {
      XCTAssertEqual(computed, marked, accuracy: 2e-3)
    }
  }

  /// The codes of `count` copies of one value in blocks whose largest value is 1 and whose smallest level is `ratio`.
  private func codes(
    of value: Float, count: Int, bits: Int, ratio: Double, _ generator: inout SeededGenerator
  ) -> [UInt8] {
    // Half of each block spans the levels: more than a tenth at the smallest, one at 1.
    let span: [Float] = [1] + [Float](repeating: Float(ratio), count: 63)
    let block = span + [Float](repeating: value, count: 64)
    let blocks = count / 64
    let tensor = LogarithmicQuantizer(bits: bits).encode((0..<blocks).flatMap { _ in block }, seed: generator.next())
    let codes = tensor.unpackedCodes
    return (0..<blocks).flatMap { codes[128 * $0 + 64..<128 * $0 + 128] }
  }

  /// Proposition 3.5: without signals, going down a level takes ln α / ln β steps on average, as true decay does. Here at
  /// a fixed largest value, which another element holds.
  func testStepsPerLevel() {
    var generator = SeededGenerator()
    for (ratio, decay) in [(0.1, 0.99), (0.1, 0.999), (1e-3, 0.99)] as [(Double, Float)] {
      let expected = log(ratio) / 3 / log(Double(decay))
      let draws = 1 << 22
      let moved = codes(of: decay, count: draws, bits: 2, ratio: ratio, &generator).count { $0 == 1 }
      XCTAssertEqual(
        Double(draws) / Double(moved), expected, accuracy: 0.05 * expected, "x_p / Δ = \(ratio), β = \(decay)")
    }
  }

  /// A value between two levels takes the lower one as often as its logarithm says.
  func testFrequencyOfRounding() {
    var generator = SeededGenerator()
    for bits in 2...4 {
      for position in [0.0, 0.1, 0.5, 0.77, 0.999] {
        let value = Float(pow(1e-3, (1 + position) / Double(1 << bits - 1)))
        let codes = codes(of: value, count: 1 << 20, bits: bits, ratio: 1e-3, &generator)
        XCTAssertTrue(codes.allSatisfy { $0 == 1 || $0 == 2 }, "\(bits) bits")
        let frequency = Double(codes.count { $0 == 2 }) / Double(codes.count)
        let deviation = (position * (1 - position) / Double(codes.count)).squareRoot()
        XCTAssertEqual(frequency, position, accuracy: 6 * deviation + 2e-6, "\(bits) bits")
      }
    }
  }
}
