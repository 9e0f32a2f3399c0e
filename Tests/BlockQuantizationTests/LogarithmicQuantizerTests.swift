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
}
