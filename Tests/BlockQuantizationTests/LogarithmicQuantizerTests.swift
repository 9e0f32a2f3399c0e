import Foundation
import TestSupport
import TileKernels
import XCTest

@testable import BlockQuantization

final class LogarithmicQuantizerTests: XCTestCase {
  /// The paper's figure of the method: a block of 11 values at 2 bits.
  func testTheWorkedExample() {
    let values: [Float] = [0.06, 0.08, 0.21, 0.22, 0.29, 0.54, 0.54, 0.58, 0.77, 0.90, 0.91]
    let logarithms: [Float] = [3.355, 3.000, 1.809, 1.752, 1.411, 0.644, 0.644, 0.556, 0.206, 0.014, 0]
    let quantizer = LogarithmicQuantizer(bits: 2)
    for step in 0..<100 {
      let uniform = Float(step) / 100
      let tensor = quantizer.encode(values, uniforms: [Float](repeating: uniform, count: 11))
      XCTAssertEqual(tensor.scales, [0.91])
      XCTAssertEqual(tensor.bases[0], 0.4446, accuracy: 1e-4)
      for (index, (code, logarithm)) in zip(tensor.unpackedCodes, logarithms).enumerated() {
        // The published logarithms have three digits.
        let sum = index == 1 || index == 10 ? logarithm : logarithm + uniform
        if abs(sum - sum.rounded()) < 1e-3 && sum != logarithm { continue }
        XCTAssertEqual(Int(code), min(Int(sum), 3), "\(values[index]) with \(uniform)")
      }
    }
    // The figure's own outcome.
    let high: Float = 0.9
    let uniforms: [Float] = [0.5, 0.5, high, high, 0.1, 0.2, 0.5, high, 0.5, 0.5, 0.5]
    let tensor = quantizer.encode(values, uniforms: uniforms)
    XCTAssertEqual(tensor.unpackedCodes, [3, 3, 2, 2, 1, 0, 1, 1, 0, 0, 0])
    for (decoded, level) in zip(tensor.decode(), [0.08, 0.08, 0.1799, 0.1799, 0.4046, 0.91] as [Float]) {
      XCTAssertEqual(decoded, level, accuracy: 1e-4)
    }
  }

  /// Values that are levels themselves come back exactly, whatever the random numbers.
  func testHalvesRoundTrip() {
    let values = (0..<128).map { [1, 0.5, 0.25, 0.125][$0 % 4] as Float }
    for seed in 0..<100 {
      let tensor = LogarithmicQuantizer(bits: 2).encode(values, seed: UInt64(seed))
      XCTAssertEqual(tensor.bases, [0.5])
      XCTAssertEqual(tensor.scales, [1])
      XCTAssertEqual(tensor.codes, [UInt8](repeating: 0b1110_0100, count: 32))
      XCTAssertEqual(tensor.decode(), values)
    }
  }

  private let rules = [QuantileRule.exact(), .fast]

  /// Codes by libm: ⌊log_α(v / Δ) + u⌋ within the codes, unless rounding errors could decide.
  private func assertRounded(
    _ tensor: LogarithmicTensor, _ values: [Float], _ uniforms: [Float], line: UInt = #line
  ) {
    let quantizer = tensor.quantizer
    let lastCode = Double(1 << quantizer.bits - 1)
    var compared = 0
    for (index, code) in tensor.unpackedCodes.enumerated() {
      let block = index / quantizer.blockSize
      let (largest, base) = (Double(tensor.scales[block]), Double(tensor.bases[block]))
      if base == 1 || values[index] <= 0 { continue }
      let logarithm = log(Double(values[index]) / largest) / log(base)
      let sum = logarithm + Double(uniforms[index])
      let margin = 2e-6 / -log(base) + 1e-6
      if abs(sum - sum.rounded()) < margin { continue }
      XCTAssertEqual(Double(code), min(max(sum.rounded(.down), 0), lastCode), "\(quantizer) \(index)", line: line)
      compared += 1
    }
    XCTAssertGreaterThanOrEqual(compared, values.count { $0 > 0 } / 2 - 32, "\(quantizer)", line: line)
  }

  func testCodesAreThoseOfTheLogarithm() {
    var generator = SeededGenerator()
    for bits in 2...4 {
      for rule in rules {
        for range in [1, 10, 60, 120] as [Float] {
          let values = (0..<5000).map { _ in exp2(-range * generator.uniform()) }
          let uniforms = (0..<5000).map { _ in generator.uniform() }
          let tensor = LogarithmicQuantizer(bits: bits, quantile: rule).encode(values, uniforms: uniforms)
          assertRounded(tensor, values, uniforms)
        }
      }
    }
  }

  /// The quantile by sorting, and the base by libm.
  func testBases() {
    var generator = SeededGenerator()
    for bits in 2...4 {
      for p in [0, 0.05, 0.1, 0.3, 0.5, 1] {
        for count in [1, 2, 3, 11, 77, 128] {
          for zeros in [0, 3] as [UInt64] {
            let values = (0..<count).map { _ in
              generator.next() % 4 < zeros ? 0 : exp2(-30 * generator.uniform() * generator.uniform())
            }
            let sorted = values.filter { $0 > 0 }.sorted().map(Double.init)
            let tensor = LogarithmicQuantizer(bits: bits, quantile: .exact(p)).encode(values)
            guard let largest = sorted.last else {
              XCTAssertEqual(tensor.bases, [1])
              continue
            }
            let position = p * Double(sorted.count - 1)
            let (lower, upper) = (sorted[Int(position)], sorted[Int(position.rounded(.up))])
            let quantile = lower + (position - position.rounded(.down)) * (upper - lower)
            let expected = pow(quantile / largest, 1 / Double(1 << bits - 1))
            XCTAssertEqual(Double(tensor.bases[0]), expected, accuracy: 1e-7 * expected, "\(p) of \(sorted.count)")
          }
        }
      }
    }
  }

  /// Of independent values, a fifteenth is below the fast quantile: 1 − (1/3)^(1/16), where a third of the smallest of 16
  /// are above it.
  func testWhereTheFastQuantileIs() {
    var generator = SeededGenerator()
    var below = 0
    let blocks = 1000
    for _ in 0..<blocks {
      let values = (0..<128).map { _ in generator.normal() * generator.normal() }.map { $0 * $0 }
      let quantile = QuantileRule.fast.quantile(of: values, count: 128, .current)
      below += values.count { Double($0) < quantile }
    }
    XCTAssertEqual(Double(below) / Double(128 * blocks), 0.066, accuracy: 0.005)
  }

  func testBlocksWithZeros() {
    var generator = SeededGenerator()
    for share in [0, 10, 50, 90, 100] as [UInt64] {
      for bits in 2...4 {
        for rule in rules {
          let values = (0..<128 * 20).map { _ in
            generator.next() % 100 < share ? 0 : exp2(-12 * generator.uniform()) as Float
          }
          let tensor = LogarithmicQuantizer(bits: bits, quantile: rule).encode(values, seed: generator.next())
          for (index, decoded) in tensor.decode().enumerated() {
            let block = index / 128
            let (largest, base) = (tensor.scales[block], tensor.bases[block])
            let least = (0..<(1 << bits - 1)).reduce(largest) { level, _ in level * base }
            if values[index] == 0 {
              XCTAssertLessThanOrEqual(decoded, least)
            } else {
              // Within one level, and those below the smallest at it.
              XCTAssertGreaterThanOrEqual(decoded, max(values[index] * base * 0.999999, least))
              XCTAssertLessThanOrEqual(decoded, max(values[index] / base * 1.000001, least))
            }
            if share == 100 { XCTAssertEqual(decoded.bitPattern, 0) }
          }
          if share == 100 {
            XCTAssertEqual(tensor, LogarithmicTensor(zeros: values.count, quantizer: tensor.quantizer))
          }
        }
      }
    }
  }

  func testSpecialBlocks() {
    let greatest = Float.greatestFiniteMagnitude
    let normal = Float.leastNormalMagnitude
    let least = Float.leastNonzeroMagnitude
    func block(_ first: [Float], _ rest: Float) -> [Float] {
      first + [Float](repeating: rest, count: 128 - first.count)
    }
    for bits in 2...4 {
      for rule in rules {
        let quantizer = LogarithmicQuantizer(bits: bits, quantile: rule)
        // Constant, and constant but for zeros: one level.
        for value in [1, 3e-20, greatest, normal] as [Float] {
          for values in [block([], value), block([0, 0, 0], value), [value]] {
            let tensor = quantizer.encode(values, seed: 5)
            XCTAssertEqual(tensor.bases, [1])
            XCTAssertEqual(tensor.scales, [value])
            XCTAssertTrue(tensor.codes.allSatisfy { $0 == 0 })
            XCTAssertEqual(tensor.decode(), [Float](repeating: value, count: values.count))
          }
        }
        // One huge outlier: no level below the others.
        let outlier = quantizer.encode(block([1e30], 1e-9), seed: 7)
        XCTAssertEqual(outlier.decode()[0], 1e30)
        for decoded in outlier.decode().dropFirst() { XCTAssertEqual(decoded, 1e-9, accuracy: 1e-14) }
        // Subnormals alone are zero; beside normal floats they are raised to the smallest level.
        for values in [block([], least), block([], normal.nextDown), [0, least]] {
          XCTAssertTrue(quantizer.encode(values).decode().allSatisfy { $0.bitPattern == 0 })
        }
        for values in [
          block([1], least), block([greatest], least), block([greatest, normal], 0), block([normal], least),
        ] {
          let decoded = quantizer.encode(values).decode()
          XCTAssertEqual(decoded[0], values[0])
          XCTAssertTrue(decoded.allSatisfy { $0 >= normal && $0.isFinite }, "\(quantizer) \(values[0])")
        }
        // The largest floats.
        let large = quantizer.encode(block([greatest, greatest / 2], greatest / 4), seed: 9)
        XCTAssertEqual(large.decode()[0], greatest)
        for decoded in large.decode().dropFirst(2) {
          XCTAssertEqual(decoded, greatest / 4, accuracy: greatest * 1e-6)
        }
        // What is not a second moment at all.
        let odd = quantizer.encode(block([.infinity, .nan, -1, -.infinity, -0.0], 1), seed: 11)
        XCTAssertEqual(odd.scales, [greatest])
        let oddValues = odd.decode()
        XCTAssertEqual(oddValues[0], greatest)
        for index in 1...4 { XCTAssertEqual(oddValues[index], oddValues.min()) }
      }
    }
  }

  /// Lengths 0 to 1,100: every kernel set gives the same bits, with either quantile, and the blocks do not depend on each
  /// other.
  func testAllLengths() {
    var generator = SeededGenerator()
    for count in 0...1100 where count < 140 || count % 17 == 0 || count > 1090 {
      let values = (0..<count).map { _ in generator.next() % 16 == 0 ? 0 : generator.wideRange().magnitude }
      let uniforms = (0..<count).map { _ in generator.uniform() }
      for bits in 2...4 {
        let quantizer = LogarithmicQuantizer(
          bits: bits, blockSize: count % 2 == 0 ? 128 : 256, quantile: count % 3 == 0 ? .exact() : .fast)
        let tensor = quantizer.encode(values, uniforms: uniforms, KernelSet.available[0])
        let decoded = tensor.decode(KernelSet.available[0])
        XCTAssertEqual(decoded.count, count)
        XCTAssertEqual(tensor.byteCount, quantizer.byteCount(of: count))
        XCTAssertEqual(tensor.codes.count + 4 * (tensor.scales.count + tensor.bases.count), tensor.byteCount)
        assertRounded(tensor, values, uniforms)
        for kernels in KernelSet.available.dropFirst() {
          XCTAssertEqual(quantizer.encode(values, uniforms: uniforms, kernels), tensor, "\(kernels.name) \(count)")
          XCTAssertEqual(tensor.decode(kernels).map(\.bitPattern), decoded.map(\.bitPattern), "\(kernels.name)")
        }
        if count > quantizer.blockSize {
          let rest = quantizer.encode(
            Array(values[quantizer.blockSize...]), uniforms: Array(uniforms[quantizer.blockSize...]))
          XCTAssertEqual(rest.decode(), Array(decoded[quantizer.blockSize...]), "\(count)")
        }
        // No spare bits: the last byte is zero beyond the last code.
        if count * bits % 8 > 0 { XCTAssertEqual(tensor.codes.last! >> UInt8(count * bits % 8), 0) }
      }
    }
  }

  /// Large tensors are encoded on several cores.
  func testManyBlocksInParallel() {
    var generator = SeededGenerator()
    let values = (0..<300_001).map { _ in generator.normal() }.map { $0 * $0 }
    let quantizer = LogarithmicQuantizer(bits: 3, quantile: .fast)
    let whole = quantizer.encode(values, seed: 3)
    XCTAssertEqual(whole, quantizer.encode(values, seed: 3))
    XCTAssertNotEqual(whole.codes, quantizer.encode(values, seed: 4).codes)
    // The first blocks of a part have the numbers of the first blocks of the whole.
    let part = quantizer.encode(Array(values[..<100_096]), seed: 3)
    XCTAssertEqual(Array(whole.codes[..<part.codes.count]), part.codes)
  }

  func testByteCounts() {
    XCTAssertEqual(LogarithmicQuantizer(bits: 2).byteCount(of: 1000), 250 + 8 * 8)
    XCTAssertEqual(LogarithmicQuantizer(bits: 3).byteCount(of: 1000), 375 + 8 * 8)
    XCTAssertEqual(LogarithmicQuantizer(bits: 4).byteCount(of: 129), 65 + 2 * 8)
    XCTAssertEqual(LogarithmicQuantizer(bits: 2, blockSize: 2048).byteCount(of: 1 << 20), 1 << 18 + 8 << 9)
    XCTAssertEqual(LogarithmicQuantizer(bits: 2).encode([]).byteCount, 0)
  }

  func testErrorsAreMeasured() {
    var generator = SeededGenerator()
    let values = (0..<4096).map { _ in generator.normal() }.map { $0 * $0 }
    let errors = (2...4).map { QuantizationError(of: LogarithmicQuantizer(bits: $0), on: values, seed: 1) }
    XCTAssertGreaterThan(errors[0].mean, errors[1].mean)
    XCTAssertGreaterThan(errors[1].mean, errors[2].mean)
    XCTAssertTrue(errors.allSatisfy { $0.shareOfCodesUsed == 1 && $0.count == 4096 })
    // A value becomes at most 1 / α of itself.
    XCTAssertLessThan(errors[2].maximumRelativeToBlock, 0.5)
  }
}
