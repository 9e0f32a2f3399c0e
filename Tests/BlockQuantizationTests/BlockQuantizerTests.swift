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
      var scale = absmax < .leastNormalMagnitude ? 0 : absmax
      if quantizer.scaleRule == .signedExtreme && scale != 0 { scale = block.first { $0.magnitude == absmax }! }
      scales.append(scale)
      for value in block {
        let code = quantizer.codebook.code(nearestTo: scale == 0 ? 0 : value * (1 / scale))
        let isPositive = !quantizer.codebook.isSigned && value > 0 && quantizer.codebook.holdsZero
        codes.append(UInt8(isPositive ? max(code, 1) : code))
      }
    }
    return (pack(codes, quantizer.codebook.bits), scales)
  }

  /// Little end first.
  private func pack(_ codes: [UInt8], _ bits: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: (codes.count * bits + 7) / 8)
    for (index, code) in codes.enumerated() {
      for bit in 0..<bits where code >> bit & 1 == 1 {
        bytes[(index * bits + bit) / 8] |= 1 << ((index * bits + bit) % 8)
      }
    }
    return bytes
  }

  private func assertPlain(
    _ values: [Float], _ quantizer: BlockQuantizer, file: StaticString = #filePath, line: UInt = #line
  ) {
    let values = quantizer.codebook.isSigned ? values : values.map(\.magnitude)
    let plain = plainCodes(values, quantizer)
    for kernels in KernelSet.available {
      // A border of bytes that must stay as they are.
      let byteCount = quantizer.codeByteCount(of: values.count)
      var codes = [UInt8](repeating: 0xa5, count: byteCount + 64)
      var scales = [Float](repeating: -1, count: quantizer.blockCount(of: values.count) + 2)
      values.withUnsafeBufferPointer { values in
        codes.withUnsafeMutableBufferPointer { codes in
          scales.withUnsafeMutableBufferPointer { scales in
            quantizer.encode(
              values, codes: UnsafeMutableBufferPointer(rebasing: codes[32..<32 + byteCount]),
              scales: UnsafeMutableBufferPointer(rebasing: scales[1..<scales.count - 1]), kernels)
          }
        }
      }
      let name = "\(kernels.name), \(quantizer), \(values.count) values"
      XCTAssertEqual(Array(codes[32..<32 + byteCount]), plain.codes, name, file: file, line: line)
      XCTAssertEqual(Array(scales[1..<scales.count - 1]), plain.scales, name, file: file, line: line)
      XCTAssertTrue((codes[..<32] + codes[(32 + byteCount)...]).allSatisfy { $0 == 0xa5 }, name)
      XCTAssertTrue(scales.first == -1 && scales.last == -1, name)
    }
  }

  private let quantizers = [
    BlockQuantizer.dynamic8, .dynamic8Unsigned, .dynamic4, .normalFloat4, .linear4Unsigned, .dynamic3,
    .dynamic2,
    BlockQuantizer(.dynamic4, blockSize: 128, scaleRule: .signedExtreme),
    BlockQuantizer(.normalFloat4, blockSize: 128),
    BlockQuantizer(.dynamic3, blockSize: 128, scaleRule: .signedExtreme),
    BlockQuantizer(.dynamic2, blockSize: 128, scaleRule: .signedExtreme),
  ]

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
    let codebooks = [
      Codebook.dynamic8, .dynamic8Unsigned, .dynamic4, .normalFloat4, .linear4Unsigned, .dynamic3, .dynamic2,
    ]
    for blockSize in [64, 65, 100, 128, 255, 256, 257, 1000, 1024, 2048, 4095, 4096] {
      for codebook in codebooks {
        if blockSize * codebook.bits % 8 != 0 { continue }
        assertPlain(values, BlockQuantizer(codebook, blockSize: blockSize))
        if codebook.isSigned {
          assertPlain(values, BlockQuantizer(codebook, blockSize: blockSize, scaleRule: .signedExtreme))
        }
      }
    }
  }

  func testManyBlocksInParallel() {
    var generator = SeededGenerator()
    let values = (0..<1_000_003).map { _ in generator.normal() }
    for quantizer in quantizers {
      let magnitudes = quantizer.codebook.isSigned ? values : values.map(\.magnitude)
      let whole = quantizer.encode(magnitudes)
      XCTAssertEqual(whole.scales.count, quantizer.blockCount(of: values.count))
      for start in [0, 65_536, 999_936] {
        let part = quantizer.encode(Array(magnitudes[start..<min(start + 2560, values.count)]))
        let firstByte = quantizer.codeByteCount(of: start)
        XCTAssertEqual(Array(whole.codes[firstByte..<firstByte + part.codes.count]), part.codes)
        let firstBlock = start / quantizer.blockSize
        XCTAssertEqual(Array(whole.scales[firstBlock..<firstBlock + part.scales.count]), part.scales)
      }
      let first = Array(magnitudes[..<2560])
      XCTAssertEqual(Array(whole.codes[..<quantizer.codeByteCount(of: 2560)]), plainCodes(first, quantizer).codes)
    }
  }

  func testThresholdsAndTheirNeighbours() {
    for quantizer in quantizers {
      let thresholds = quantizer.codebook.thresholds
      let around = thresholds.flatMap { [$0.nextDown, $0, $0.nextUp] }.filter { quantizer.codebook.isSigned || $0 >= 0 }
      let room = quantizer.blockSize - 1
      for chunk in stride(from: 0, to: around.count, by: room) {
        // A leading 1 makes the scale 1, so that the values are normalised already.
        assertPlain([1] + around[chunk..<min(chunk + room, around.count)], quantizer)
      }
    }
  }

  func testSpecialValues() {
    let least = Float.leastNonzeroMagnitude
    let greatest = Float.greatestFiniteMagnitude
    let blocks: [[Float]] = [
      [0, 0, 0], [-0.0, 0, -0.0], [least, -least, 0], [1000 * least, -99 * least, 0],
      [.leastNormalMagnitude, least, -1000 * least],
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
    XCTAssertEqual(BlockQuantizer.dynamic8.encode([99 * least, -9 * least]).decode().map(\.bitPattern), [0, 0])
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

  func testASignedExtremeIsExactWhateverItsSign() {
    let plain = BlockQuantizer.dynamic4
    let signed = BlockQuantizer(.dynamic4, blockSize: 128, scaleRule: .signedExtreme)
    XCTAssertEqual(plain.encode([0.5, -2, 0]).decode()[1], -1.775)
    XCTAssertEqual(signed.encode([0.5, -2, 0]).decode()[1], -2)
    XCTAssertEqual(signed.encode([0.5, -2, 0]).scales, [-2])
    XCTAssertEqual(signed.encode([3, -3]).scales, [3])
    XCTAssertEqual(signed.encode([-3, 3]).decode(), [-3, 2.6625])
  }

  func testByteCounts() {
    XCTAssertEqual(BlockQuantizer.dynamic8.byteCount(of: 0), 0)
    XCTAssertEqual(BlockQuantizer.dynamic8.byteCount(of: 1), 5)
    XCTAssertEqual(BlockQuantizer.dynamic8.byteCount(of: 257), 265)
    XCTAssertEqual(BlockQuantizer.dynamic4.byteCount(of: 1 << 20), (1 << 19) + 4 * (1 << 13))
    XCTAssertEqual(BlockQuantizer.dynamic4.byteCount(of: 129), 65 + 8)
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
    for quantizer in quantizers where quantizer.scaleRule == .absmax {
      for kernels in KernelSet.available {
        nonisolated(unsafe) let map = quantizer.codec.map
        let thresholds = quantizer.codebook.thresholds
        let isSigned = quantizer.codebook.isSigned
        let chunk = 1 << 16
        DispatchQueue.concurrentPerform(iterations: isSigned ? 1 << 16 : 1 << 15) { high in
          let values = (0..<chunk).map { Float(bitPattern: UInt32(high) << 16 | UInt32($0)) }
          // The encoders are given finite values of at most 1 in magnitude, but for rounding, by their callers.
          guard values[0].magnitude <= 1.0001 else { return }
          var codes = [UInt8](repeating: 0, count: chunk)
          switch map {
          case .bytes(let map): kernels.encodeBytes(values, chunk, 1, map, &codes)
          case .nibbles(let map):
            kernels.encodeNibbles(values, chunk, 1, map, &codes)
            codes = PackedCodes.unpacked(codes, count: chunk, bits: 4)
          case .packed(let map):
            kernels.encodePacked(values, chunk, 1, map, &codes)
            codes = PackedCodes.unpacked(codes, count: chunk, bits: map.bits)
          }
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
