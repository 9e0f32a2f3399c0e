import TestSupport
import TileKernels
import XCTest

@testable import BlockQuantization

/// Adam with logarithmic second moments in two halves equals the portable stages one after another, for every pair of
/// widths.
final class LogarithmicStepTests: XCTestCase {
  private let count = LogarithmicStep.blockSize
  private var adam = AdamConstants.ofEachKind[0]

  /// NaNs count as equal, since no rule promises a payload.
  private static func bits(_ values: [Float]) -> [UInt32] { values.map { $0.isNaN ? 0x7fc0_0000 : $0.bitPattern } }

  private struct State: Equatable {
    var parameters: [Float]
    var firstCodes, secondCodes: [UInt8]
    var first: Float
    var second, base: Float

    static func == (a: State, b: State) -> Bool {
      LogarithmicStepTests.bits(a.parameters) == LogarithmicStepTests.bits(b.parameters) && a.firstCodes == b.firstCodes
        && a.secondCodes == b.secondCodes && [a.first, a.second, a.base] == [b.first, b.second, b.base]
    }
  }

  private func stageByStage(
    _ old: State, _ gradients: [Float], _ first: BlockCodec, _ second: LogarithmicCodec, _ key: UInt64
  ) -> State {
    let kernels = KernelSet.available[0]
    var new = old
    var m = [Float](repeating: 0, count: count)
    var v = m
    var uniforms = m
    first.decode(old.firstCodes, count: count, scale: old.first, into: &m, kernels)
    second.decode(old.secondCodes, count: count, scale: old.second, base: old.base, into: &v, kernels)
    let maxima = kernels.adam(&new.parameters, gradients, &m, &v, count, adam)
    new.first = first.encode(&m, count: count, absmax: maxima.first, codes: &new.firstCodes, kernels)
    kernels.fillUniforms(key, count, &uniforms)
    let scale = second.encode(
      &v, count: count, maximum: maxima.second, uniforms: uniforms, codes: &new.secondCodes, kernels)
    (new.second, new.base) = (scale.scale, scale.base)
    return new
  }

  /// nil if the block is out of the ordinary.
  private func inHalves(
    _ old: State, _ gradients: [Float], _ first: BlockCodec, _ second: LogarithmicCodec, _ key: UInt64,
    _ step: LogarithmicStep
  ) throws -> State? {
    var new = old
    var m = [Float](repeating: 0, count: count)
    var v = m
    let tables = try XCTUnwrap(first.levelTables)
    let isDone = new.firstCodes.withUnsafeMutableBufferPointer { firstCodes in
      new.secondCodes.withUnsafeMutableBufferPointer { secondCodes in
        m.withUnsafeMutableBufferPointer { m in
          v.withUnsafeMutableBufferPointer { v in
            var firstBlock = PackedBlock(
              codes: firstCodes.baseAddress!, values: m.baseAddress!, bits: tables.bits, scale: old.first)
            let secondBlock = PackedBlock(
              codes: secondCodes.baseAddress!, values: v.baseAddress!, bits: second.bits, scale: old.second)
            let moments = step.makeMoments(
              new.parameters, gradients, firstBlock, tables.values, secondBlock, old.base, adam)
            guard moments.isOrdinary,
              let rounding = second.rounding(quantile: moments.quantile, maximum: moments.maxima.second, key: key)
            else { return false }
            new.first = first.scaleKind.scale(of: firstBlock.values, count, absmax: moments.maxima.first)
            (new.second, new.base) = (rounding.scale, rounding.base)
            firstBlock.scale = 1 / new.first
            step.moveAndEncode(&new.parameters, firstBlock, tables.thresholds, secondBlock, rounding, adam)
            return true
          }
        }
      }
    }
    if !isDone { XCTAssertEqual(new, old, "left as it is") }
    return isDone ? new : nil
  }

  func testEveryPairOfWidths() throws {
    var generator = SeededGenerator()
    for kernels in KernelSet.available {
      guard let step = kernels.logarithmicStep else { continue }
      for codebook in [Codebook.dynamic2, .dynamic3, .dynamic4] {
        for secondBits in 2...4 {
          for scaleRule in [ScaleRule.absmax, .signedExtreme] {
            let first = BlockQuantizer(codebook, blockSize: count, scaleRule: scaleRule).codec
            let second = LogarithmicQuantizer(bits: secondBits, blockSize: count, quantile: .fast).codec
            for round in 0..<20 {
              adam = AdamConstants.ofEachKind[round % 3]
              var old = State(
                parameters: (0..<count).map { _ in generator.normal() },
                firstCodes: (0..<count * codebook.bits / 8).map { _ in UInt8(truncatingIfNeeded: generator.next()) },
                secondCodes: (0..<count * secondBits / 8).map { _ in UInt8(truncatingIfNeeded: generator.next()) },
                first: generator.wideRange(), second: generator.wideRange().magnitude,
                base: round % 5 == 0 ? 1 : exp2(-3 * generator.uniform()))
              // A coupled decay of infinity would make the block one out of the ordinary.
              let specialCount = adam.decayTerms == .all ? 1 : 4
              for (index, special) in AdamConstants.specialParameters.prefix(specialCount).enumerated() {
                old.parameters[(31 * round + 40 * index) % count] = special
              }
              var gradients = (0..<count).map { _ in
                round % 4 == 0 ? generator.normal() : generator.wideRange()
              }
              let special: [Float] = [0, .infinity, .nan, .greatestFiniteMagnitude, -.infinity]
              if round >= 15 { gradients[Int(generator.next() % UInt64(count))] = special[round - 15] }
              let key = generator.next()
              let new = try inHalves(old, gradients, first, second, key, step)
              XCTAssertEqual(new == nil, round > 15, "\(kernels.name), round \(round)")
              if let new {
                XCTAssertTrue(
                  new == stageByStage(old, gradients, first, second, key),
                  "\(kernels.name), \(codebook), \(secondBits) bits, round \(round)")
              }
            }
          }
        }
      }
    }
  }

  /// Blocks of one level and of zeros have no base to round with.
  func testBlocksOfOneLevelAreLeft() {
    let codec = LogarithmicQuantizer(bits: 2, blockSize: count).codec
    XCTAssertNil(codec.rounding(quantile: 0, maximum: 0, key: 1))
    XCTAssertNil(codec.rounding(quantile: 3, maximum: 3, key: 1))
    XCTAssertNil(codec.rounding(quantile: .leastNonzeroMagnitude, maximum: .leastNormalMagnitude / 2, key: 1))
    XCTAssertNotNil(codec.rounding(quantile: 1, maximum: 3, key: 1))
  }
}
