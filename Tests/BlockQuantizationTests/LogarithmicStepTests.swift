import TestSupport
import TileKernels
import XCTest

@testable import BlockQuantization

/// Whole steps of Adam with logarithmic second moments equal the portable stages one after another, for every pair of widths.
final class LogarithmicStepTests: XCTestCase {
  private let blockSize = PackedSteps.blockSize

  /// NaNs count as equal, since no rule promises a payload.
  private static func bits(_ values: [Float]) -> [UInt32] { values.map { $0.isNaN ? 0x7fc0_0000 : $0.bitPattern } }

  private struct State: Equatable {
    var parameters: [Float]
    var firstCodes, secondCodes: [UInt8]
    var firstScales: [Float]
    var secondScales, bases: [Float]

    static func == (a: State, b: State) -> Bool {
      LogarithmicStepTests.bits(a.parameters) == LogarithmicStepTests.bits(b.parameters) && a.firstCodes == b.firstCodes
        && a.secondCodes == b.secondCodes && a.firstScales == b.firstScales && a.secondScales == b.secondScales
        && a.bases == b.bases
    }
  }

  /// What one step works on, whatever the way.
  private struct Step {
    var gradients: [Float]
    let first: BlockCodec
    let second: LogarithmicCodec
    let adam: AdamConstants
    let stream: RandomStream
    let firstBlock: Int
  }

  /// - Parameter skipped: blocks that stay as they are.
  private func stageByStage(_ old: State, _ step: Step, skipped: UInt64) -> State {
    let kernels = KernelSet.available[0]
    var new = old
    for (block, start) in stride(from: 0, to: old.parameters.count, by: blockSize).enumerated()
    where skipped >> block & 1 == 0 {
      let count = min(blockSize, old.parameters.count - start)
      var m = [Float](repeating: 0, count: count)
      var v = m
      var uniforms = m
      let firstByte = step.first.byteOffset(of: start)
      let secondByte = step.second.byteOffset(of: start)
      var firstCodes = Array(old.firstCodes[firstByte...])
      var secondCodes = Array(old.secondCodes[secondByte...])
      var parameters = Array(old.parameters[start..<start + count])
      let gradients = Array(step.gradients[start..<start + count])
      step.first.decode(firstCodes, count: count, scale: old.firstScales[block], into: &m, kernels)
      step.second.decode(
        secondCodes, count: count, scale: old.secondScales[block], base: old.bases[block], into: &v, kernels)
      let maxima = kernels.adam(&parameters, gradients, &m, &v, count, step.adam)
      new.firstScales[block] = step.first.encode(&m, count: count, absmax: maxima.first, codes: &firstCodes, kernels)
      step.stream.fill(block: step.firstBlock + block, count: count, uniforms: &uniforms, kernels)
      let scale = step.second.encode(
        &v, count: count, maximum: maxima.second, uniforms: uniforms, codes: &secondCodes, kernels)
      (new.secondScales[block], new.bases[block]) = (scale.scale, scale.base)
      new.parameters.replaceSubrange(start..<start + count, with: parameters)
      let (firstEnd, secondEnd) = (step.first.byteOffset(of: start + count), step.second.byteOffset(of: start + count))
      new.firstCodes.replaceSubrange(firstByte..<firstEnd, with: firstCodes[..<(firstEnd - firstByte)])
      new.secondCodes.replaceSubrange(secondByte..<secondEnd, with: secondCodes[..<(secondEnd - secondByte)])
    }
    return new
  }

  /// Returns the blocks that are left, too.
  private func wholeStep(
    _ old: State, _ step: Step, _ steps: PackedSteps, from block: Int = 0
  ) throws -> (State, UInt64) {
    var new = old
    func run(
      _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
      _ firstCodes: UnsafeMutablePointer<UInt8>, _ firstScales: UnsafeMutablePointer<Float>,
      _ secondCodes: UnsafeMutablePointer<UInt8>, _ secondScales: UnsafeMutablePointer<Float>,
      _ bases: UnsafeMutablePointer<Float>, _ scratch: UnsafeMutablePointer<Float>
    ) -> UInt64 {
      let count = old.parameters.count
      return steps.adam(
        BlockRun(
          parameters: parameters, gradients: gradients, count: count, blockSize: blockSize,
          blocks: block..<(count + blockSize - 1) / blockSize),
        step.first.packedMoment(codes: firstCodes, scales: firstScales)!,
        LogarithmicMoment(
          codes: secondCodes, scales: secondScales, bases: bases, bits: step.second.bits, streamKey: step.stream.key,
          firstBlock: step.firstBlock), scratch, step.adam)
    }
    var scratch = [Float](repeating: 0, count: PackedSteps.scratchCount)
    let left = run(
      &new.parameters, step.gradients, &new.firstCodes, &new.firstScales, &new.secondCodes, &new.secondScales,
      &new.bases, &scratch)
    return (new, left)
  }

  private func random<Generator: RandomNumberGenerator>(
    _ count: Int, _ round: Int, _ first: BlockCodec, _ second: LogarithmicCodec, _ generator: inout Generator,
    _ value: (inout Generator) -> Float
  ) -> State {
    let blocks = (count + blockSize - 1) / blockSize
    func bytes(_ bits: Int) -> [UInt8] {
      (0..<(count * bits + 7) / 8).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    }
    return State(
      parameters: (0..<count).map { _ in value(&generator) }, firstCodes: bytes(first.byteOffset(of: 8)),
      secondCodes: bytes(second.bits), firstScales: (0..<blocks).map { _ in value(&generator) },
      secondScales: (0..<blocks).map { _ in value(&generator).magnitude },
      bases: (0..<blocks).map { _ in round % 5 == 0 ? 1 : exp2(-3 * Float.random(in: 0..<1, using: &generator)) })
  }

  private func forEachPairOfWidths(_ body: (PackedSteps, BlockCodec, LogarithmicCodec) throws -> Void) rethrows {
    for kernels in KernelSet.available {
      guard let steps = kernels.packedSteps else { continue }
      for codebook in [Codebook.dynamic2, .dynamic3, .dynamic4, .normalFloat4] {
        for secondBits in 2...4 {
          for scaleRule in [ScaleRule.absmax, .signedExtreme] {
            try body(
              steps, BlockQuantizer(codebook, blockSize: blockSize, scaleRule: scaleRule).codec,
              LogarithmicQuantizer(bits: secondBits, blockSize: blockSize, quantile: .fast).codec)
          }
        }
      }
    }
  }

  func testEveryPairOfWidths() throws {
    var generator = SeededGenerator()
    try forEachPairOfWidths { steps, first, second in
      for round in 0..<12 {
        let adam = AdamConstants.ofEachKind[round % 3]
        let count = 128 * (1 + 3 * round)
        var old = random(count, round, first, second, &generator) { $0.wideRange() }
        // A coupled decay of infinity would make the block one out of the ordinary.
        for (index, special) in AdamConstants.specialParameters.prefix(adam.decayTerms == .all ? 1 : 4).enumerated() {
          old.parameters[(31 * round + 40 * index) % count] = special
        }
        let gradients = (0..<count).map { _ in round % 4 == 0 ? generator.normal() : generator.wideRange() }
        let step = Step(
          gradients: gradients, first: first, second: second, adam: adam,
          stream: RandomStream(seed: generator.next(), keyHash: 1, moment: 1, step: round), firstBlock: 7 * round)
        let (new, left) = try wholeStep(old, step, steps)
        XCTAssertEqual(left, 0)
        XCTAssertTrue(new == stageByStage(old, step, skipped: 0), "\(first) \(second), round \(round)")
      }
    }
  }

  /// Second moments of all kinds, in many blocks: places near integers are rounded the exact way.
  func testRounding() throws {
    var generator = SeededGenerator()
    var adam = AdamConstants.ofEachKind[0]
    (adam.beta2, adam.oneMinusBeta2) = (0, 1)
    try forEachPairOfWidths { steps, first, second in
      for (round, range) in [0.0001, 0.003, 0.1, 1, 4, 9, 30, 75].enumerated() as EnumeratedSequence<[Float]> {
        let count = 64 * 128
        let old = random(count, round, first, second, &generator) { $0.normal() }
        let middle = exp2(120 * (Float.random(in: 0..<1, using: &generator) - 0.5) * (1 - range / 80))
        let step = Step(
          gradients: (0..<count).map {
            $0 % 61 == 7 ? 0 : middle * exp2(-range * generator.uniform() * Float($0 / 8 % 2))
          },
          first: first, second: second, adam: adam,
          stream: RandomStream(seed: generator.next(), keyHash: 2, moment: 1, step: round), firstBlock: 0)
        let (new, left) = try wholeStep(old, step, steps)
        XCTAssertTrue(new == stageByStage(old, step, skipped: left), "\(first) \(second), round \(round)")
        XCTAssertEqual(left, 0)
      }
    }
  }

  /// Blocks of one level, short ones and those with numbers that are not finite, among others.
  func testBlocksOutOfTheOrdinaryAreLeft() throws {
    var generator = SeededGenerator()
    try forEachPairOfWidths { steps, first, second in
      let count = 128 * 21 + 24
      var old = random(count, 1, first, second, &generator) { $0.normal() }
      var gradients = (0..<count).map { _ in generator.normal() }
      for (block, special) in [(3, Float.infinity), (4, .nan), (8, -.infinity), (19, .greatestFiniteMagnitude)] {
        gradients[128 * block + 5 * block] = special
      }
      // One level, and zeros.
      for block in [10, 15] {
        for i in 0..<128 { gradients[128 * block + i] = block == 10 ? 2 : 0 }
        old.secondScales[block] = 0
      }
      let step = Step(
        gradients: gradients, first: first, second: second, adam: AdamConstants.ofEachKind[1],
        stream: RandomStream(seed: 3, keyHash: 3, moment: 1, step: 3), firstBlock: 5)
      let (new, left) = try wholeStep(old, step, steps)
      XCTAssertEqual(left, [3, 4, 8, 19, 10, 15, 21].reduce(0) { $0 | 1 << $1 })
      XCTAssertTrue(new == stageByStage(old, step, skipped: left), "\(first) \(second)")
      let (rest, restLeft) = try wholeStep(old, step, steps, from: 9)
      XCTAssertEqual(restLeft, left >> 9)
      XCTAssertTrue(rest == stageByStage(old, step, skipped: left | 0x1ff), "\(first) \(second)")
    }
  }
}
