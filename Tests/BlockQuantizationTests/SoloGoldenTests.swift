import TestSupport
import XCTest

@testable import BlockQuantization

/// Codes of 2, 3 and 4 bits against the code of "Pushing the Limits of Low-Bit Optimizers" (SOLO).
final class SoloGoldenTests: XCTestCase {
  private func golden() throws -> Safetensors {
    try Safetensors(Bundle.module.url(forResource: "Golden/solo_quantizers", withExtension: "safetensors")!)
  }

  private func quantizer(bits: Int) -> BlockQuantizer {
    [2: BlockQuantizer.dynamic2, 3: .dynamic3, 4: .dynamic4][bits]!
  }

  func testSignedMapsAreThePublishedOnes() throws {
    let golden = try golden()
    for bits in 2...4 {
      // Tables of 3 bits are padded to 16 entries.
      let map = golden.floats("de/\(bits)bit/signed/qmap").prefix(1 << bits)
      XCTAssertEqual(quantizer(bits: bits).codebook.values.map(\.bitPattern), map.map(\.bitPattern))
    }
    XCTAssertEqual(Codebook.dynamic2.values, [-0.55, 0, 0.55, 1])
  }

  /// Departure: a value halfway between two levels takes the lower one here and the upper one there. The recorded data
  /// has no such value.
  func testSignedCodes() throws {
    let golden = try golden()
    let values = golden.floats("x_signed")
    for bits in 2...4 {
      let tensor = quantizer(bits: bits).encode(values)
      let prefix = "de/\(bits)bit/signed"
      XCTAssertEqual(tensor.scales, golden.floats("\(prefix)/scale"), prefix)
      for (index, value) in values.enumerated() {
        let normalised = value * (1 / tensor.scales[index / 128])
        XCTAssertFalse(tensor.quantizer.codebook.thresholds.contains(normalised), "\(prefix) \(index) is a tie")
      }
      XCTAssertEqual(tensor.unpackedCodes, golden.bytes("\(prefix)/codes"), prefix)
      XCTAssertEqual(tensor.decode(), golden.floats("\(prefix)/dequantised"), prefix)
    }
    XCTAssertEqual(BlockQuantizer.dynamic2.encode([1, 0.275, -0.275]).unpackedCodes, [3, 1, 0])
  }

  /// With the recorded random numbers. Departures: a block of zeros, which becomes 1e−12 there, and one whose quantile is
  /// zero, of which every value becomes the largest there.
  func testLogarithmicCodes() throws {
    let golden = try golden()
    let uniforms = golden.floats("uniform")
    var compared = 0
    for name in golden.names where name.hasSuffix("/alpha") {
      let prefix = String(name.dropLast("/alpha".count))
      let parts = prefix.split(separator: "/")
      let values = golden.floats("x_\(parts[2])")
      let quantizer = LogarithmicQuantizer(
        bits: Int(parts[1].prefix(1))!, quantile: .exact(Double(parts[3].dropFirst())!))
      let tensor = quantizer.encode(values, uniforms: uniforms)
      let decoded = tensor.decode()
      let (scales, bases) = (golden.floats("\(prefix)/scale"), golden.floats(name))
      let (codes, dequantised) = (golden.bytes("\(prefix)/codes"), golden.floats("\(prefix)/dequantised"))
      for block in 0..<8 {
        let elements = 128 * block..<128 * block + 128
        if parts[2] == "unsigned_zeros" && block == 0 {
          XCTAssertTrue(values[elements].allSatisfy { $0 == 0 })
          XCTAssertEqual(decoded[elements].map(\.bitPattern), [UInt32](repeating: 0, count: 128))
        } else if bases[block] == 0 {
          XCTAssertEqual(parts[2], "unsigned_zeros")
          XCTAssertEqual(block, 1)
          XCTAssertGreaterThan(Set(tensor.unpackedCodes[elements]).count, 2, prefix)
        } else {
          XCTAssertEqual(tensor.scales[block], scales[block], prefix)
          XCTAssertEqual(tensor.bases[block], bases[block], accuracy: 2e-6 * bases[block], prefix)
          XCTAssertEqual(Array(tensor.unpackedCodes[elements]), Array(codes[elements]), prefix)
          for index in elements {
            XCTAssertEqual(decoded[index], dequantised[index], accuracy: 2e-6 * dequantised[index], prefix)
          }
          compared += 1
        }
      }
    }
    XCTAssertEqual(compared, 70)
  }
}
