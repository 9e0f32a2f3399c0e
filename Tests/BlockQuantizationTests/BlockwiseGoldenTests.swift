import TestSupport
import XCTest

@testable import BlockQuantization

/// Codes, scales and decoded values against bitsandbytes' definition of block-wise quantization.
final class BlockwiseGoldenTests: XCTestCase {
  private func golden() throws -> Safetensors {
    try Safetensors(Bundle.module.url(forResource: "Golden/bnb_blockwise", withExtension: "safetensors")!)
  }

  func testCodesAndScales() throws {
    let golden = try golden()
    var cases = 0
    for name in golden.names where name.hasSuffix("/codes_ideal") {
      let prefix = name.dropLast("/codes_ideal".count)
      let parts = prefix.split(separator: "/")
      let isSigned = parts[1].hasSuffix("s")
      let blockSize = Int(parts[1].dropFirst().dropLast())!
      let input = !isSigned && golden.contains("\(parts[0])/x_squared") ? "\(parts[0])/x_squared" : "\(parts[0])/x"
      check(
        values: golden.floats(input), BlockQuantizer(isSigned ? .dynamic8 : .dynamic8Unsigned, blockSize: blockSize),
        scales: golden.floats("\(prefix)/absmax"), codes: golden.bytes(name),
        nearTie: golden.bytes("\(prefix)/near_tie"), String(prefix))
      cases += 1
    }
    XCTAssertGreaterThan(cases, 20)
  }

  private func check(
    values: [Float], _ quantizer: BlockQuantizer, scales: [Float], codes: [UInt8], nearTie: [UInt8], _ name: String
  ) {
    let tensor = quantizer.encode(values)
    // Departure: a subnormal scale is stored as 0, and its block decodes to zeros.
    XCTAssertEqual(tensor.scales, scales.map { $0 < .leastNormalMagnitude ? 0 : $0 }, name)
    let decoded = tensor.decode()
    for (index, code) in tensor.codes.enumerated() {
      let scale = tensor.scales[index / quantizer.blockSize]
      XCTAssertEqual(decoded[index], quantizer.codebook.values[Int(code)] * scale, "\(name) \(index)")
      if scale == 0 {
        XCTAssertEqual(decoded[index].bitPattern, 0, "\(name) \(index)")
        continue
      }
      // Departure: a positive value never takes the code of zero.
      let expected = !quantizer.codebook.isSigned && values[index] > 0 ? max(codes[index], 1) : codes[index]
      let tolerance = nearTie[index] == 1 ? 1 : 0
      XCTAssertLessThanOrEqual(abs(Int(code) - Int(expected)), tolerance, "\(name) \(index): \(values[index])")
    }
  }

  func testDecodedValues() throws {
    let golden = try golden()
    var cases = 0
    for name in golden.names where name.hasSuffix("/dequant_bnb_cpu") {
      let prefix = name.dropLast("/dequant_bnb_cpu".count)
      let quantizer: BlockQuantizer = prefix.hasSuffix("s") ? .dynamic8 : .dynamic8Unsigned
      let codes = golden.bytes("\(prefix)/codes_bnb_cpu")
      let scales = golden.floats("\(prefix)/absmax")
      var decoded = [Float](repeating: .nan, count: codes.count)
      var span = decoded.mutableSpan
      quantizer.decode(codes: codes.span, scales: scales.span, into: &span)
      XCTAssertEqual(decoded.map(\.bitPattern), golden.floats(name).map(\.bitPattern), name)
      cases += 1
    }
    XCTAssertGreaterThan(cases, 3)
  }
}
