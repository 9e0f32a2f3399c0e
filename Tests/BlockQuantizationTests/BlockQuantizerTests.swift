import TestSupport
import TileKernels
import XCTest

@testable import BlockQuantization

final class BlockQuantizerTests: XCTestCase {
  /// The definition, one value at a time.
  private func plainCodes(_ values: [Float], _ quantizer: BlockQuantizer) -> (codes: [UInt8], scales: [Float]) {
    var codes: [UInt8] = []
    var scales: [Float] = []
    for start in stride(from: 0, to: values.count, by: quantizer.blockSize) {
      let block = values[start..<min(start + quantizer.blockSize, values.count)].map { value in
        value.isNaN ? 0 : max(-Float.greatestFiniteMagnitude, min(value, .greatestFiniteMagnitude))
      }
      let absmax = block.reduce(0) { max($0, $1.magnitude) }
      let scale = absmax < .leastNormalMagnitude ? 0 : absmax
      scales.append(scale)
      for value in block {
        let code = quantizer.codebook.code(nearestTo: scale == 0 ? 0 : value * (1 / scale))
        codes.append(UInt8(!quantizer.codebook.isSigned && value > 0 ? max(code, 1) : code))
      }
    }
    return (codes, scales)
  }

  private func assertPlain(
    _ values: [Float], _ quantizer: BlockQuantizer, file: StaticString = #filePath, line: UInt = #line
  ) {
    let values = quantizer.codebook.isSigned ? values : values.map(\.magnitude)
    let plain = plainCodes(values, quantizer)
    for kernels in KernelSet.available {
      // A border of bytes that must stay as they are.
      var codes = [UInt8](repeating: 0xa5, count: values.count + 64)
      var scales = [Float](repeating: -1, count: quantizer.blockCount(of: values.count) + 2)
      values.withUnsafeBufferPointer { values in
        codes.withUnsafeMutableBufferPointer { codes in
          scales.withUnsafeMutableBufferPointer { scales in
            quantizer.encode(
              values, codes: UnsafeMutableBufferPointer(rebasing: codes[32..<32 + values.count]),
              scales: UnsafeMutableBufferPointer(rebasing: scales[1..<scales.count - 1]), kernels)
          }
        }
      }
      let name = "\(kernels.name), \(quantizer), \(values.count) values"
      XCTAssertEqual(Array(codes[32..<32 + values.count]), plain.codes, name, file: file, line: line)
      XCTAssertEqual(Array(scales[1..<scales.count - 1]), plain.scales, name, file: file, line: line)
      XCTAssertTrue((codes[..<32] + codes[(32 + values.count)...]).allSatisfy { $0 == 0xa5 }, name)
      XCTAssertTrue(scales.first == -1 && scales.last == -1, name)
    }
  }

  private let quantizers = [BlockQuantizer.dynamic8, .dynamic8Unsigned]

  func testAllLengths() {
    var generator = SeededGenerator()
    for count in 0...1100 where count < 80 || count % 7 == 0 || count > 1020 {
      let values = (0..<count).map { _ in generator.wideRange() }
      for quantizer in quantizers { assertPlain(values, quantizer) }
    }
  }

  func testAllBlockSizes() {
    var generator = SeededGenerator()
    let values = (0..<9001).map { _ in generator.normal() * generator.uniform() }
    for blockSize in [64, 65, 100, 128, 255, 256, 257, 1000, 1024, 2048, 4095, 4096] {
      for codebook in [Codebook.dynamic8, .dynamic8Unsigned] {
        assertPlain(values, BlockQuantizer(codebook, blockSize: blockSize))
      }
    }
  }

  func testManyBlocksInParallel() {
    var generator = SeededGenerator()
    let values = (0..<1_000_003).map { _ in generator.normal() }
    for quantizer in quantizers {
      let tensor = quantizer.encode(values)
      let plain = plainCodes(Array(values[..<2560]), quantizer)
      let magnitudes = quantizer.codebook.isSigned ? values : values.map(\.magnitude)
      let whole = quantizer.encode(magnitudes)
      XCTAssertEqual(whole.scales.count, 3907)
      for start in [0, 65_536, 999_936] {
        let part = quantizer.encode(Array(magnitudes[start..<min(start + 2560, values.count)]))
        XCTAssertEqual(Array(whole.codes[start..<start + part.count]), part.codes)
        XCTAssertEqual(Array(whole.scales[start / 256..<start / 256 + part.scales.count]), part.scales)
      }
      if quantizer.codebook.isSigned { XCTAssertEqual(Array(tensor.codes[..<2560]), plain.codes) }
    }
  }

  func testThresholdsAndTheirNeighbours() {
    for quantizer in quantizers {
      let thresholds = quantizer.codebook.thresholds
      let around = thresholds.flatMap { [$0.nextDown, $0, $0.nextUp] }.filter { quantizer.codebook.isSigned || $0 >= 0 }
      for chunk in stride(from: 0, to: around.count, by: 255) {
        // A leading 1 makes the scale 1, so that the values are normalised already.
        assertPlain([1] + around[chunk..<min(chunk + 255, around.count)], quantizer)
      }
    }
  }

  func testSpecialValues() {
    let least = Float.leastNonzeroMagnitude
    let greatest = Float.greatestFiniteMagnitude
    let blocks: [[Float]] = [
      [0, 0, 0], [-0.0, 0, -0.0], [least, -least, 0], [1e-39, -1e-40, 0], [.leastNormalMagnitude, least, -1e-39],
      [greatest, -greatest, 1, 0], [greatest, 1e30, 1e35, -3e38], [.infinity, 1, -2, 1e38], [-.infinity, .infinity, 0],
      [.nan, 1, -1], [.nan, .infinity, -1e38, 0], [.nan], [-0.0], [least], [1, least, -least], [1e30, 1e-30, -1e-30],
    ]
    for block in blocks {
      for quantizer in quantizers {
        for padding in [0, 1, 7, 8, 61] {
          assertPlain(block + [Float](repeating: 0, count: padding), quantizer)
        }
      }
    }
    XCTAssertEqual(BlockQuantizer.dynamic8.encode([.nan, 2]).decode(), [0, 2])
    XCTAssertEqual(BlockQuantizer.dynamic8.encode([.infinity, 2]).decode(), [greatest, 0])
    XCTAssertEqual(BlockQuantizer.dynamic8.encode([1e-40, -1e-41]).decode().map(\.bitPattern), [0, 0])
  }

  func testAPositiveValueNeverDecodesToZero() {
    for exponent in stride(from: -120, through: 0, by: 3) {
      let small = exp2(Float(exponent))
      XCTAssertGreaterThan(BlockQuantizer.dynamic8Unsigned.encode([1, small, 0]).decode()[1], 0)
      XCTAssertEqual(BlockQuantizer.dynamic8Unsigned.encode([1, small, 0]).decode()[2], 0)
    }
    XCTAssertGreaterThan(BlockQuantizer.dynamic8Unsigned.encode([1e38, 1e-30]).decode()[1], 0)
  }

  func testScalingABlockByAPowerOfTwoKeepsItsCodes() {
    var generator = SeededGenerator()
    let values = (0..<256).map { _ in generator.normal() }
    for quantizer in quantizers {
      let signs = quantizer.codebook.isSigned ? values : values.map(\.magnitude)
      let codes = quantizer.encode(signs).codes
      for exponent in [-100, -60, -1, 1, 60, 120] {
        XCTAssertEqual(quantizer.encode(signs.map { $0 * exp2(Float(exponent)) }).codes, codes, "2^\(exponent)")
      }
    }
  }

  func testByteCounts() {
    XCTAssertEqual(BlockQuantizer.dynamic8.byteCount(of: 0), 0)
    XCTAssertEqual(BlockQuantizer.dynamic8.byteCount(of: 1), 5)
    XCTAssertEqual(BlockQuantizer.dynamic8.byteCount(of: 257), 265)
    XCTAssertEqual(BlockQuantizer(.dynamic8, blockSize: 64).byteCount(of: 1_000_003), 1_000_003 + 4 * 15_626)
    for count in [0, 1, 255, 256, 257, 5000] {
      let tensor = BlockQuantizer.dynamic8.encode([Float](repeating: 1, count: count))
      XCTAssertEqual(tensor.byteCount, BlockQuantizer.dynamic8.byteCount(of: count))
      XCTAssertEqual(tensor.codes.count + 4 * tensor.scales.count, tensor.byteCount)
      XCTAssertEqual(tensor.decode().count, count)
    }
  }

  /// All 2^32 floats through every encoder of every set, against the number of thresholds below.
  func testAllFloats() throws {
    try XCTSkipUnless(isExhaustive, "set LOWBIT_EXHAUSTIVE=1: all 2^32 floats take minutes")
    for quantizer in quantizers {
      let map = quantizer.codec.map
      for kernels in KernelSet.available {
        nonisolated(unsafe) let map = map
        let thresholds = quantizer.codebook.thresholds
        let isSigned = quantizer.codebook.isSigned
        let chunk = 1 << 16
        DispatchQueue.concurrentPerform(iterations: isSigned ? 1 << 16 : 1 << 15) { high in
          let values = (0..<chunk).map { Float(bitPattern: UInt32(high) << 16 | UInt32($0)) }
          // The encoders are given finite values of at most 1 in magnitude, but for rounding, by their callers.
          guard values[0].magnitude <= 1.0001 else { return }
          var codes = [UInt8](repeating: 0, count: chunk)
          kernels.encodeBytes(values, chunk, 1, map, &codes)
          // Thresholds ascend, so the count below moves with the value; start with a search.
          var level = thresholds.count { values[0] > $0 }
          for (value, code) in zip(values, codes) {
            while level < thresholds.count && value > thresholds[level] { level += 1 }
            while level > 0 && !(value > thresholds[level - 1]) { level -= 1 }
            if Int(code) != level { fatalError("\(kernels.name) \(quantizer): \(value) took \(code), not \(level)") }
          }
        }
      }
    }
  }
}
