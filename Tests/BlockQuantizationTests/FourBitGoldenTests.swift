import TestSupport
import XCTest

@testable import BlockQuantization

/// 4-bit codes, scales and decoded values against the code of "Memory Efficient Optimizers with 4-bit States".
final class FourBitGoldenTests: XCTestCase {
  private func golden() throws -> Safetensors {
    try Safetensors(Bundle.module.url(forResource: "Golden/thuml_quantizers", withExtension: "safetensors")!)
  }

  func testMapsAreThePublishedOnes() throws {
    let golden = try golden()
    XCTAssertEqual(
      Codebook.dynamic4.values.map(\.bitPattern), golden.floats("maps/signed_dynexp_4bit").map(\.bitPattern))
    XCTAssertEqual(
      Codebook.linear4Unsigned.values.map(\.bitPattern),
      golden.floats("maps/unsigned_linear_nozero_4bit").map(\.bitPattern))
  }

  /// As bitsandbytes publishes them, bit for bit.
  func testNormalFloatMap() {
    XCTAssertEqual(
      Codebook.normalFloat4.values.map(\.bitPattern),
      [
        0xbf80_0000, 0xbf32_39b1, 0xbf06_6b30, 0xbeca_32a0, 0xbe91_a24d, 0xbe3d_353f, 0xbdba_7871, 0,
        0x3da2_faff, 0x3e24_cae3, 0x3e7c_04dd, 0x3ead_033a, 0x3ee1_a4b8, 0x3f10_07ab, 0x3f39_13b3, 0x3f80_0000,
      ])
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

  func testScalesPerRowAndColumn() throws {
    let golden = try golden()
    var cases = 0
    for name in golden.names where name.hasSuffix("_rank1/x") {
      let prefix = String(name.dropLast(2))
      let shape = golden.shape(name)
      guard shape.count > 1 else { continue }
      let quantizer = RankOneQuantizer(prefix.contains("/m_") ? .dynamic4 : .linear4Unsigned, shape: shape)
      let tensor = quantizer.encode(golden.floats(name))
      for dimension in shape.indices {
        XCTAssertEqual(tensor.scales[dimension], golden.floats("\(prefix)/max_dim\(dimension)"), prefix)
      }
      XCTAssertEqual(tensor.decode(), golden.floats("\(prefix)/dequantised"), prefix)
      let codes = golden.bytes("\(prefix)/codes")
      let scales = golden.floats("\(prefix)/scale_tensor")
      for (index, code) in tensor.unpackedCodes.enumerated() where scales[index] != 0 {
        XCTAssertEqual(code, codes[index], "\(prefix) \(index)")
      }
      XCTAssertEqual(tensor.byteCount, tensor.codes.count + 4 * tensor.scales.joined().count)
      cases += 1
    }
    XCTAssertEqual(cases, 6)
  }

  /// The paper's bound: an element's scale is no larger than any of its slices' largest magnitudes.
  func testRankOneOfWideRangeData() {
    var generator = SeededGenerator()
    let rows = (0..<37).map { _ in exp2(-20 * generator.uniform()) }
    let columns = (0..<53).map { _ in exp2(-20 * generator.uniform()) }
    let values = rows.flatMap { row in columns.map { row * $0 * (0.5 + generator.uniform()) } }
    let rankOne = QuantizationError(of: RankOneQuantizer(.linear4Unsigned, shape: [37, 53]), on: values)
    let blocks = QuantizationError(of: .linear4Unsigned, on: values)
    XCTAssertLessThan(rankOne.mean, 0.2 * blocks.mean, "\(rankOne) against \(blocks)")
  }

  func testRankOneOfSpecialShapesAndValues() {
    for shape in [[0, 3], [3, 0], [1, 1], [1, 129], [129, 1], [2, 1, 3], [3, 2, 2, 5]] {
      let quantizer = RankOneQuantizer(.dynamic4, shape: shape)
      let values = (0..<quantizer.count).map { Float($0 % 7) - 3 }
      let tensor = quantizer.encode(values)
      XCTAssertEqual(tensor.decode().count, values.count)
      XCTAssertEqual(tensor.codes.count, (values.count + 1) / 2)
    }
    let special = RankOneQuantizer(.dynamic4, shape: [2, 3])
    XCTAssertEqual(special.encode([0, 0, 0, 0, 0, 0]).decode(), [0, 0, 0, 0, 0, 0])
    XCTAssertEqual(special.encode([.nan, 0, 0, 0, 2, 0]).decode(), [0, 0, 0, 0, 2, 0])
    let greatest = Float.greatestFiniteMagnitude
    XCTAssertEqual(special.encode([.infinity, 0, 0, 0, 2, 0]).decode(), [greatest, 0, 0, 0, 2, 0])
  }
}
