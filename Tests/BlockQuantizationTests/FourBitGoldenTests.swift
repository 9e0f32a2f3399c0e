import TestSupport
import XCTest

@testable import BlockQuantization

/// 4-bit codes, scales and decoded values against the code of "Memory Efficient Optimizers with 4-bit States".
final class FourBitGoldenTests: XCTestCase {
  private func golden() throws -> Safetensors {
    try Safetensors(Bundle.module.url(forResource: "Golden/thuml_groups", withExtension: "safetensors")!)
  }

  func testMapsAreThePublishedOnes() throws {
    let golden = try golden()
    XCTAssertEqual(
      Codebook.dynamic4.values.map(\.bitPattern), golden.floats("maps/signed_dynexp_4bit").map(\.bitPattern))
    XCTAssertEqual(
      Codebook.linear4Unsigned.values.map(\.bitPattern),
      golden.floats("maps/unsigned_linear_nozero_4bit").map(\.bitPattern))
  }

  func testBlocksOf128() throws {
    let golden = try golden()
    var cases = 0
    for name in golden.names where name.hasSuffix("_group128/x") {
      let prefix = String(name.dropLast(2))
      let quantizer = prefix.contains("/m_") ? BlockQuantizer.dynamic4 : .linear4Unsigned
      let values = golden.floats(name)
      let tensor = quantizer.encode(values)
      XCTAssertEqual(tensor.scales, golden.floats("\(prefix)/absmax"), prefix)
      XCTAssertEqual(tensor.decode(), golden.floats("\(prefix)/dequantised"), prefix)
      let codes = golden.bytes("\(prefix)/codes")
      let packed = golden.bytes("\(prefix)/packed")
      for (index, code) in tensor.unpackedCodes.enumerated() where tensor.scales[index / 128] != 0 {
        XCTAssertEqual(code, codes[index], "\(prefix) \(index)")
      }
      for (index, byte) in tensor.codes.enumerated()
      where tensor.scales[index / 64] != 0 && 2 * index + 1 < values.count {
        XCTAssertEqual(byte, packed[index], "\(prefix) byte \(index)")
      }
      cases += 1
    }
    XCTAssertEqual(cases, 9)
  }
}
