import TestSupport
import TileKernels
import XCTest

@testable import BlockQuantization

/// Whole steps of Momentum on codes of 2 and 3 bits equal the portable stages one after another.
final class PackedMomentumTests: XCTestCase {
  private let blockSize = PackedSteps.blockSize
  private let rule = MomentumConstants(
    bufferFactor: 0.9, gradientFactor: 0.8, directionOfGradient: 1, directionOfBuffer: 0.9, learningRate: 0.1,
    coupledDecay: 0.01)

  private struct State: Equatable {
    var parameters: [Float]
    var codes: [UInt8]
    var scales: [Float]
  }

  /// - Parameter skipped: blocks that stay as they are.
  private func stageByStage(_ old: State, _ gradients: [Float], _ codec: BlockCodec, skipped: UInt64) -> State {
    let kernels = KernelSet.available[0]
    var new = old
    for (block, start) in stride(from: 0, to: old.parameters.count, by: blockSize).enumerated()
    where skipped >> block & 1 == 0 {
      let range = start..<start + blockSize
      let bytes = codec.byteOffset(of: start)..<codec.byteOffset(of: start + blockSize)
      var b = [Float](repeating: 0, count: blockSize)
      var parameters = Array(old.parameters[range])
      var codes = Array(old.codes[bytes])
      codec.decode(codes, count: blockSize, scale: old.scales[block], into: &b, kernels)
      let absmax = kernels.momentum(&parameters, Array(gradients[range]), &b, blockSize, rule)
      new.scales[block] = codec.encode(&b, count: blockSize, absmax: absmax, codes: &codes, kernels)
      new.parameters.replaceSubrange(range, with: parameters)
      new.codes.replaceSubrange(bytes, with: codes)
    }
    return new
  }

  func testWholeSteps() throws {
    var generator = SeededGenerator()
    for steps in KernelSet.available.compactMap(\.packedSteps) {
      for codebook in [Codebook.dynamic2, .dynamic3] {
        for (round, scaleRule) in [ScaleRule.absmax, .signedExtreme, .absmax, .signedExtreme].enumerated() {
          let codec = BlockQuantizer(codebook, blockSize: blockSize, scaleRule: scaleRule).codec
          let count = blockSize * [20, 1, 64, 33][round] + 40 * (round % 2)
          let blocks = (count + blockSize - 1) / blockSize
          let old = State(
            parameters: (0..<count).map { _ in generator.normal() },
            codes: (0..<(count * codebook.bits + 7) / 8).map { _ in UInt8(truncatingIfNeeded: generator.next()) },
            scales: (0..<blocks).map { $0 == 7 ? 0 : generator.wideRange() })
          var gradients = (0..<count).map { _ in generator.wideRange() }
          var expected: UInt64 = count % blockSize == 0 ? 0 : 1 << (blocks - 1)
          if blocks > 10 {
            for (block, special) in [(2, Float.nan), (3, .infinity), (9, -.infinity)] {
              gradients[blockSize * block + 13 * block] = special
              expected |= 1 << block
            }
            // A block that stays at zero.
            for i in 0..<blockSize { gradients[7 * blockSize + i] = -0.01 * old.parameters[7 * blockSize + i] }
          }
          var new = old
          func run(
            _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
            _ codes: UnsafeMutablePointer<UInt8>,
            _ scales: UnsafeMutablePointer<Float>, _ scratch: UnsafeMutablePointer<Float>
          ) -> UInt64 {
            steps.momentum(
              BlockRun(
                parameters: parameters, gradients: gradients, count: count, blockSize: blockSize, blocks: 0..<blocks),
              codec.packedMoment(codes: codes, scales: scales)!, scratch, rule)
          }
          var scratch = [Float](repeating: 0, count: PackedSteps.scratchCount)
          let left = run(&new.parameters, gradients, &new.codes, &new.scales, &scratch)
          XCTAssertEqual(left, expected, "\(codebook), round \(round)")
          XCTAssertTrue(
            new == stageByStage(old, gradients, codec, skipped: left), "\(codebook), \(scaleRule), round \(round)")
        }
      }
    }
  }
}
