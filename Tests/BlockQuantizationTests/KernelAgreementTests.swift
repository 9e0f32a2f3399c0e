import TestSupport
import TileKernels
import XCTest

@testable import BlockQuantization

extension Codebook {
  var byteMap: ByteMap {
    guard case .bytes(let map) = tables.map else { fatalError("\(self) has no byte codes") }
    return map
  }
}

/// Every kernel set against the rules in plain scalar code, bit for bit: all lengths, unaligned memory, special values.
final class KernelAgreementTests: XCTestCase {
  /// A result's bits; NaNs count as equal, since no rule promises a payload.
  private func bits(_ values: [Float]) -> [UInt32] { values.map { $0.isNaN ? 0x7fc0_0000 : $0.bitPattern } }

  private func values(_ count: Int, _ generator: inout SeededGenerator) -> [Float] {
    let special: [Float] = [
      0, -0.0, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, .leastNormalMagnitude, -.leastNormalMagnitude / 8, 1,
      -1,
      .greatestFiniteMagnitude, -.greatestFiniteMagnitude, 1e20, -1e-20,
    ]
    return (0..<count).map { _ in
      generator.next() % 8 == 0 ? special.randomElement(using: &generator)! : generator.wideRange()
    }
  }

  /// Lengths 0 to 1,100, at each of eight alignments.
  private func everyLength(_ body: (_ count: Int, _ offset: Int) -> Void) {
    for count in 0...1100 where isExhaustive || count < 140 || count % 13 == 0 || count > 1086 {
      body(count, count % 8)
    }
  }

  func testAdam() {
    var generator = SeededGenerator()
    let constants = AdamConstants(
      beta1: 0.9, oneMinusBeta1: 0.1, beta2: 0.999, oneMinusBeta2: 0.001, stepSize: 1e-3, scaledEpsilon: 3e-10,
      coupledDecay: 0.01, decoupledDecay: 1e-5)
    everyLength { count, offset in
      let p = values(count, &generator)
      let g = values(count, &generator)
      let m = values(count, &generator)
      let v = values(count, &generator).map(\.magnitude)
      var expected = (p: p, m: m, v: v)
      for i in 0..<count {
        let gradient = g[i] + constants.coupledDecay * p[i]
        expected.m[i] = constants.beta1 * m[i] + constants.oneMinusBeta1 * gradient
        expected.v[i] = constants.beta2 * v[i] + constants.oneMinusBeta2 * (gradient * gradient)
        let decayed = p[i] - constants.decoupledDecay * p[i]
        let direction = expected.m[i] / (expected.v[i].squareRoot() + constants.scaledEpsilon)
        expected.p[i] = decayed - constants.stepSize * direction
      }
      for kernels in KernelSet.available {
        let border = [Float](repeating: 7, count: offset + 1)
        var newP = border + p + border
        var newM = border + m + border
        var newV = border + v + border
        let maxima = newP.withUnsafeMutableBufferPointer { p in
          newM.withUnsafeMutableBufferPointer { m in
            newV.withUnsafeMutableBufferPointer { v in
              (border + g).withUnsafeBufferPointer { g in
                kernels.adam(
                  p.baseAddress! + offset + 1, g.baseAddress! + offset + 1, m.baseAddress! + offset + 1,
                  v.baseAddress! + offset + 1, count, constants)
              }
            }
          }
        }
        for (result, expected) in [(newP, expected.p), (newM, expected.m), (newV, expected.v)] {
          XCTAssertEqual(bits(result), bits(border + expected + border), "\(kernels.name) \(count)")
        }
        XCTAssertEqual(maxima.first, expected.m.reduce(0) { max($0, $1.magnitude) }, "\(kernels.name) \(count)")
        XCTAssertEqual(maxima.second, expected.v.reduce(0) { max($0, $1) }, "\(kernels.name) \(count)")
      }
    }
  }

  func testMomentum() {
    var generator = SeededGenerator()
    let constants = MomentumConstants(
      bufferFactor: 0.9, gradientFactor: 0.8, directionOfGradient: 1, directionOfBuffer: 0.9, learningRate: 0.1,
      coupledDecay: 0.01)
    everyLength { count, offset in
      let p = values(count, &generator)
      let g = values(count, &generator).map { $0 * 0.5 }
      let b = values(count, &generator).map { $0 * 0.5 }
      var expected = (p: p, b: b)
      for i in 0..<count {
        let gradient = g[i] + constants.coupledDecay * p[i]
        expected.b[i] = constants.bufferFactor * b[i] + constants.gradientFactor * gradient
        let direction = constants.directionOfGradient * gradient + constants.directionOfBuffer * expected.b[i]
        expected.p[i] = p[i] - constants.learningRate * direction
      }
      for kernels in KernelSet.available {
        let border = [Float](repeating: 7, count: offset + 1)
        var newP = border + p + border
        var newB = border + b + border
        let absmax = newP.withUnsafeMutableBufferPointer { p in
          newB.withUnsafeMutableBufferPointer { b in
            (border + g).withUnsafeBufferPointer { g in
              kernels.momentum(
                p.baseAddress! + offset + 1, g.baseAddress! + offset + 1, b.baseAddress! + offset + 1, count, constants)
            }
          }
        }
        for (result, expected) in [(newP, expected.p), (newB, expected.b)] {
          XCTAssertEqual(bits(result), bits(border + expected + border), "\(kernels.name) \(count)")
        }
        XCTAssertEqual(absmax, expected.b.reduce(0) { max($0, $1.magnitude) }, "\(kernels.name) \(count)")
      }
    }
  }

  func testAbsmax() {
    var generator = SeededGenerator()
    everyLength { count, offset in
      let finite = values(count + offset, &generator)
      for kernels in KernelSet.available {
        for bad: Float? in [nil, .infinity, -.infinity, .nan, -.nan] {
          var values = finite
          if let bad, count > 0 { values[offset + Int(generator.next() % UInt64(count))] = bad }
          let result = (values + [9]).withUnsafeBufferPointer { kernels.absmax($0.baseAddress! + offset, count) }
          let expected = values[offset...].reduce(0) { max($0, $1.magnitude) }
          XCTAssertEqual(result < .infinity, bad == nil || count == 0, "\(kernels.name) \(count)")
          if bad == nil { XCTAssertEqual(result, expected, "\(kernels.name) \(count)") }
        }
      }
    }
  }

  func testDecode() {
    var generator = SeededGenerator()
    for codebook in [Codebook.dynamic8, .dynamic8Unsigned] {
      nonisolated(unsafe) let map = codebook.byteMap
      everyLength { count, offset in
        let codes = (0..<count + offset).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        let scale = generator.wideRange().magnitude
        for kernels in KernelSet.available {
          var result = [Float](repeating: 7, count: count + offset + 1)
          result.withUnsafeMutableBufferPointer { result in
            (codes + [0]).withUnsafeBufferPointer {
              kernels.decodeBytes($0.baseAddress! + offset, count, scale, map, result.baseAddress! + offset)
            }
          }
          let expected = codes[offset...].map { codebook.values[Int($0)] * scale }
          XCTAssertEqual(bits(Array(result[offset..<offset + count])), bits(expected), "\(kernels.name) \(count)")
          XCTAssertTrue((result[..<offset] + result[(offset + count)...]).allSatisfy { $0 == 7 })
        }
      }
    }
  }

  func testDecodeOfSharedBytes() {
    var generator = SeededGenerator()
    for codebook in [Codebook.dynamic4, .normalFloat4, .linear4Unsigned] {
      guard case .nibbles(let nibbles) = codebook.tables.map else { return XCTFail("\(codebook)") }
      nonisolated(unsafe) let map = nibbles
      everyLength { count, offset in
        let codes = (0..<count / 2 + 1 + offset).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        let scale = generator.wideRange().magnitude
        let expected = (0..<count).map {
          codebook.values[Int(codes[offset + $0 / 2] >> UInt8($0 % 2 * 4) & 15)] * scale
        }
        for kernels in KernelSet.available {
          var result = [Float](repeating: 7, count: count + offset + 1)
          result.withUnsafeMutableBufferPointer { result in
            codes.withUnsafeBufferPointer {
              kernels.decodeNibbles($0.baseAddress! + offset, count, scale, map, result.baseAddress! + offset)
            }
          }
          XCTAssertEqual(bits(Array(result[offset..<offset + count])), bits(expected), "\(kernels.name) \(count)")
          XCTAssertTrue((result[..<offset] + result[(offset + count)...]).allSatisfy { $0 == 7 })
        }
      }
    }
  }

  /// Around every threshold, zeros, subnormals, and what is no number: it has the lowest code.
  func testEncodeOfSharedBytes() {
    var generator = SeededGenerator()
    for codebook in [Codebook.dynamic4, .normalFloat4, .linear4Unsigned] {
      guard case .nibbles(let nibbles) = codebook.tables.map else { return XCTFail("\(codebook)") }
      nonisolated(unsafe) let map = nibbles
      let near: [Float] =
        codebook.thresholds.flatMap { [$0.nextDown, $0, $0.nextUp] } + [
          0, -0.0, 1, -1, .nan, -.nan, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, .leastNormalMagnitude / 3,
        ]
      everyLength { count, offset in
        // A power of two keeps the thresholds what they are.
        let reciprocal: Float = 0.25
        let values = (0..<count + offset).map { _ -> Float in
          let value = generator.next() % 2 == 0 ? near.randomElement(using: &generator)! : 2 * generator.uniform() - 1
          return value * 4
        }
        var expected = [UInt8](repeating: 0, count: (count + 1) / 2)
        for i in 0..<count {
          let code = codebook.thresholds.count { values[offset + i] * reciprocal > $0 }
          expected[i / 2] |= UInt8(code) << UInt8(i % 2 * 4)
        }
        for kernels in KernelSet.available {
          var result = [UInt8](repeating: 0xa5, count: expected.count + offset + 1)
          result.withUnsafeMutableBufferPointer { result in
            (values + [0]).withUnsafeBufferPointer {
              kernels.encodeNibbles(
                $0.baseAddress! + offset, count, reciprocal, map, result.baseAddress! + offset)
            }
          }
          XCTAssertEqual(
            Array(result[offset..<offset + expected.count]), expected, "\(kernels.name), \(codebook), \(count)")
          XCTAssertTrue((result[..<offset] + result[(offset + expected.count)...]).allSatisfy { $0 == 0xa5 })
        }
      }
    }
  }

  /// Says which sets this machine cannot run: they are untested here.
  func testWhichSetsRunHere() {
    let names = KernelSet.available.map(\.name)
    print(
      "kernel sets tested here: \(names); not on this machine: \(["portable", "avx2", "avx512"].filter { !names.contains($0) })"
    )
    XCTAssertEqual(names.first, "portable")
  }

  func testAKernelSetThatCannotRunIsAClearError() {
    XCTAssertNoThrow(try KernelSet.choose(nil, from: KernelSet.available))
    XCTAssertEqual(try KernelSet.choose("portable", from: KernelSet.available).name, "portable")
    XCTAssertThrowsError(try KernelSet.choose("avx1024", from: KernelSet.available)) { error in
      XCTAssertTrue("\(error)".hasPrefix("LOWBIT_KERNELS=avx1024: this machine can run portable"), "\(error)")
    }
  }
}
