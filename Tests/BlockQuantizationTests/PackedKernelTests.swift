import Foundation
import TestSupport
import TileKernels
import XCTest

@testable import BlockQuantization

/// The stages for codes of 2 to 4 bits in every kernel set against the rules in plain scalar code, bit for bit.
final class PackedKernelTests: XCTestCase {
  /// Lengths 0 to 1,100, each at some alignment.
  private func everyLength(_ body: (_ count: Int, _ offset: Int) -> Void) {
    for count in 0...1100 where isExhaustive || count < 140 || count % 13 == 0 || count > 1086 {
      body(count, count % 8)
    }
  }

  /// Runs `body` on memory for `count` elements between borders, which must stay as they are.
  private func bordered<Element: Equatable>(
    _ border: Element, _ count: Int, _ offset: Int, _ body: (UnsafeMutablePointer<Element>) -> Void
  ) -> [Element] {
    var memory = [Element](repeating: border, count: count + offset + 33)
    memory.withUnsafeMutableBufferPointer { body($0.baseAddress! + offset + 1) }
    let result = Array(memory[(offset + 1)...].prefix(count))
    XCTAssertTrue((memory[...offset] + memory[(offset + 1 + count)...]).allSatisfy { $0 == border })
    return result
  }

  /// Little end first, one bit at a time.
  private func packed(_ codes: [Int], _ bits: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: (codes.count * bits + 7) / 8)
    for (index, code) in codes.enumerated() {
      for bit in 0..<bits where code >> bit & 1 == 1 {
        bytes[(index * bits + bit) / 8] |= 1 << UInt8((index * bits + bit) % 8)
      }
    }
    return bytes
  }

  func testPackingAndUnpackingEight() {
    var generator = SeededGenerator()
    for bits in 2...4 {
      for _ in 0..<1000 {
        let codes = (0..<8).map { _ in Int(generator.next() & (1 << UInt64(bits) - 1)) }
        let word = codes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let expected = packed(codes, bits).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        XCTAssertEqual(packedEight(word, UInt64(bits)), expected)
        XCTAssertEqual(unpackedEight(expected, UInt64(bits)), word)
      }
    }
  }

  func testUnpackingAnyWidth() {
    var generator = SeededGenerator()
    for bits in [2, 3, 4, 8] {
      for count in 0..<40 {
        let codes = (0..<count).map { _ in Int(generator.next() & (1 << UInt64(bits) - 1)) }
        XCTAssertEqual(PackedCodes.unpacked(packed(codes, bits), count: count, bits: bits), codes.map { UInt8($0) })
        let same = Int(generator.next() & (1 << UInt64(bits) - 1))
        let bytes = bordered(0xa5 as UInt8, PackedCodes.byteCount(of: count, bits: bits), 0) { memory in
          let bytes = UnsafeMutableBufferPointer(start: memory, count: PackedCodes.byteCount(of: count, bits: bits))
          PackedCodes.initialize(bytes, repeating: same, count: count, bits: bits)
        }
        XCTAssertEqual(bytes, packed([Int](repeating: same, count: count), bits))
      }
    }
  }

  func testDecodingOfLevels() {
    var generator = SeededGenerator()
    for bits in 2...4 {
      everyLength { count, offset in
        let codes = (0..<count).map { _ in Int(generator.next() & (1 << UInt64(bits) - 1)) }
        // What is beyond the levels in the table must not matter.
        let levels = (0..<16).map { $0 < 1 << bits ? generator.wideRange() : Float.nan }
        // Exactly as many bytes as the codes take: an overrun would be caught by the address sanitizer.
        let bytes = [UInt8](repeating: 0xff, count: offset) + packed(codes, bits)
        for kernels in KernelSet.available {
          let values = bordered(Float(7), count, offset) { values in
            bytes.withUnsafeBufferPointer {
              kernels.decodeLevels($0.baseAddress! + offset, count, bits, levels, values)
            }
          }
          XCTAssertEqual(values, codes.map { levels[$0] }, "\(kernels.name), \(bits) bits, \(count)")
        }
      }
    }
  }

  func testEncodingByThresholds() {
    var generator = SeededGenerator()
    for codebook in [Codebook.dynamic2, .dynamic3] {
      guard case .packed(let packedMap) = codebook.tables.map else { return XCTFail("\(codebook)") }
      nonisolated(unsafe) let map = packedMap
      let near: [Float] = codebook.thresholds.flatMap { [$0.nextDown, $0, $0.nextUp] } + [0, -0.0, 1, -1]
      everyLength { count, offset in
        let reciprocal: Float = count % 2 == 0 ? 1 : 0.37
        let values = (0..<count + offset).map { _ in
          generator.next() % 4 == 0 ? near.randomElement(using: &generator)! : 2 * generator.uniform() - 1
        }
        let codes = values[offset...].map { value in codebook.thresholds.count { value * reciprocal > $0 } }
        for kernels in KernelSet.available {
          let bytes = bordered(0xa5 as UInt8, (count * codebook.bits + 7) / 8, offset) { bytes in
            values.withUnsafeBufferPointer {
              guard count > 0 else { return }
              kernels.encodePacked($0.baseAddress! + offset, count, reciprocal, map, bytes)
            }
          }
          XCTAssertEqual(bytes, packed(codes, codebook.bits), "\(kernels.name), \(codebook), \(count)")
        }
      }
    }
  }

  func testUniforms() {
    var generator = SeededGenerator()
    everyLength { count, offset in
      let key = generator.next()
      let expected = (0..<count).map { index -> Float in
        var h = UInt32(truncatingIfNeeded: key) &+ UInt32(index) &* 0x9e37_79b9
        h ^= h >> 16
        h = h &* 0x7feb_352d &+ UInt32(key >> 32)
        h ^= h >> 15
        h = h &* 0x846c_a68b
        h ^= h >> 16
        return Float(h >> 8) / 16_777_216
      }
      for kernels in KernelSet.available {
        let uniforms = bordered(Float(7), count, offset) { kernels.fillUniforms(key, count, $0) }
        XCTAssertEqual(uniforms, expected, "\(kernels.name), \(count)")
      }
    }
  }

  func testFastQuantile() {
    var generator = SeededGenerator()
    for share in [0, 50, 90, 99, 100] as [UInt64] {
      for count in [1, 2, 15, 16, 17, 31, 32, 33, 100, 127, 128, 128, 128, 129, 255, 256, 1000, 4095, 4096] {
        let values = (0..<count).map { _ in generator.next() % 100 < share ? 0 : generator.wideRange().magnitude }
        let groups = max(1, count / 16)
        let minima = (0..<groups).compactMap { group in
          stride(from: group, to: count, by: groups).map { values[$0] }.filter { $0 > 0 }.min()
        }
        let rank = Int((0.75 * Double(minima.count)).rounded(.up))
        let expected = minima.isEmpty ? 0 : minima.sorted()[rank - 1]
        for kernels in KernelSet.available {
          XCTAssertEqual(kernels.fastQuantile(values, count), expected, "\(kernels.name), \(count), \(share) % zeros")
          // Zeros of either sign, and equal values.
          let signed = values.map { $0 == 0 && generator.next() % 2 == 0 ? -0.0 : $0 }
          XCTAssertEqual(kernels.fastQuantile(signed, count), expected, "\(kernels.name), \(count)")
          XCTAssertEqual(kernels.fastQuantile(values.map { $0 == 0 ? 0 : 3 }, count), expected == 0 ? 0 : 3)
        }
      }
    }
  }

  /// Descending levels of one block as the encoder takes them.
  private func withLevels(_ bits: Int, largest: Float, ratio: Double, _ body: (LogarithmicLevels, [Float]) -> Void) {
    let lastCode = 1 << bits - 1
    let base = LogarithmicBase(quantile: ratio * Double(largest), largest: largest, lastCode: lastCode)
    var levels = [largest]
    for _ in 0..<lastCode { levels.append(levels.last! * base.base) }
    let thresholds = levels.dropFirst().reversed() + [Float](repeating: .infinity, count: 16 - lastCode)
    thresholds.withUnsafeBufferPointer {
      body(
        LogarithmicLevels(
          bits: bits, log2Base: base.log2, leastFactor: base.leastFactor, thresholds: $0.baseAddress!), levels)
    }
  }

  private func code(_ value: Float, _ uniform: Float, _ parameters: LogarithmicLevels, _ levels: [Float]) -> Int {
    let product = value * max(exp2OfNegative(uniform * parameters.log2Base), parameters.leastFactor)
    return levels.dropFirst().count { product <= $0 }
  }

  func testLogarithmicEncoding() {
    var generator = SeededGenerator()
    for bits in 2...4 {
      everyLength { count, offset in
        let ratio = exp2(-60 * Double(generator.uniform())) * 0.999
        withLevels(bits, largest: generator.wideRange().magnitude, ratio: ratio) { parameters, levels in
          nonisolated(unsafe) let parameters = parameters
          let special = levels + levels.map(\.nextDown) + [0, -0.0, .leastNonzeroMagnitude, -1]
          let values = (0..<count + offset).map { _ in
            generator.next() % 4 == 0
              ? special.randomElement(using: &generator)!
              : levels[0] * Float(exp2(1.1 * log2(ratio) * Double(generator.uniform())))
          }
          let uniforms = (0..<count + offset).map { _ in generator.next() % 8 == 0 ? 0 : generator.uniform() }
          let codes = (offset..<count + offset).map { code(values[$0], uniforms[$0], parameters, levels) }
          for kernels in KernelSet.available {
            let bytes = bordered(0xa5 as UInt8, (count * bits + 7) / 8, offset) { bytes in
              values.withUnsafeBufferPointer { values in
                uniforms.withUnsafeBufferPointer { uniforms in
                  guard count > 0 else { return }
                  kernels.encodeLogarithmic(
                    values.baseAddress! + offset, uniforms.baseAddress! + offset, count, parameters, bytes)
                }
              }
            }
            XCTAssertEqual(bytes, packed(codes, bits), "\(kernels.name), \(bits) bits, \(count)")
          }
        }
      }
    }
  }

  /// All finite floats through the logarithmic encoder of every set, against the count of levels.
  func testAllFloatsLogarithmically() throws {
    try XCTSkipUnless(isExhaustive, "set LOWBIT_EXHAUSTIVE=1: all 2^32 floats take minutes")
    let chunk = 1 << 16
    for bits in 2...4 {
      withLevels(bits, largest: 3, ratio: 1e-9) { parameters, levels in
        nonisolated(unsafe) let parameters = parameters
        for kernels in KernelSet.available {
          DispatchQueue.concurrentPerform(iterations: 1 << 16) { high in
            let values = (0..<chunk).map { Float(bitPattern: UInt32(high) << 16 | UInt32($0)) }
            guard values[0].isFinite else { return }
            var uniforms = [Float](repeating: 0, count: chunk)
            kernels.fillUniforms(UInt64(high), chunk, &uniforms)
            var bytes = [UInt8](repeating: 0, count: chunk / 8 * bits)
            kernels.encodeLogarithmic(values, uniforms, chunk, parameters, &bytes)
            for (index, code) in PackedCodes.unpacked(bytes, count: chunk, bits: bits).enumerated() {
              let product =
                values[index] * max(exp2OfNegative(uniforms[index] * parameters.log2Base), parameters.leastFactor)
              var expected = 0
              for level in levels.dropFirst() where product <= level { expected += 1 }
              if Int(code) != expected {
                fatalError("\(kernels.name), \(bits) bits: \(values[index]), \(uniforms[index]) took \(code)")
              }
            }
          }
        }
      }
    }
  }

  func testThePowerOfTwo() {
    XCTAssertEqual(exp2OfNegative(0), 1)
    var x: Float = -1e-9
    while x > -125 {
      let exact = exp2(Double(x))
      XCTAssertEqual(Double(exp2OfNegative(x)), exact, accuracy: 3e-7 * exact, "2^\(x)")
      XCTAssertLessThanOrEqual(exp2OfNegative(x), 1, "2^\(x)")
      x *= 1.0001
    }
  }
}
