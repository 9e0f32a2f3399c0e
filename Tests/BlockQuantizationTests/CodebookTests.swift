import TestSupport
import XCTest

@testable import BlockQuantization

final class CodebookTests: XCTestCase {
  private func goldenMap(_ name: String) throws -> [Float] {
    try Safetensors(Bundle.module.url(forResource: "Golden/dynamic_maps", withExtension: "safetensors")!).floats(name)
  }

  func testEightBitTablesAreThePublishedOnes() throws {
    XCTAssertEqual(Codebook.dynamic8.values.map(\.bitPattern), try goldenMap("dynamic_signed_8bit").map(\.bitPattern))
    XCTAssertEqual(
      Codebook.dynamic8Unsigned.values.map(\.bitPattern), try goldenMap("dynamic_unsigned_8bit").map(\.bitPattern))
  }

  /// The published tables of fewer bits are padded with zeros to 256 entries.
  func testTheSameRuleGivesThePublishedTablesOfFewerBits() throws {
    for bits in 2...7 {
      for (sign, name) in [(DynamicMap.Sign.signed, "signed"), (.unsigned, "unsigned")] {
        var golden = try goldenMap("dynamic_\(name)_\(bits)bit_padded256")
        for _ in 0..<256 - (1 << bits) { golden.remove(at: golden.firstIndex(of: 0)!) }
        XCTAssertEqual(DynamicMap(bits: bits, sign: sign).values.map(\.bitPattern), golden.map(\.bitPattern))
      }
    }
  }

  func testTablesAreSortedAndHoldZeroAndOne() {
    for codebook in [Codebook.dynamic8, .dynamic8Unsigned] {
      XCTAssertEqual(codebook.values.count, 256)
      XCTAssertTrue(zip(codebook.values, codebook.values.dropFirst()).allSatisfy { $0 < $1 })
      XCTAssertEqual(codebook.values[codebook.zeroCode], 0)
      XCTAssertEqual(codebook.values.last, 1)
    }
    XCTAssertEqual(Codebook.dynamic8.values[..<127].map { -$0 }.reversed(), Array(Codebook.dynamic8.values[128..<255]))
  }

  func testThresholdsAreMidpointsWithinThreeUnits() {
    for codebook in [Codebook.dynamic8, .dynamic8Unsigned] {
      let midpoints = zip(codebook.values, codebook.values.dropFirst()).map { ($0 + $1) * 0.5 }
      XCTAssertEqual(codebook.thresholds.count, 255)
      for (index, (threshold, midpoint)) in zip(codebook.thresholds, midpoints).enumerated() {
        if !codebook.isSigned && index == 0 {
          XCTAssertEqual(threshold, 0, "a positive value never takes the code of zero")
        } else {
          let units = abs(Int(threshold.bitPattern) - Int(midpoint.bitPattern))
          XCTAssertLessThanOrEqual(units, 3, "\(codebook) \(index)")
        }
      }
    }
  }

  private static let all = [
    Codebook.dynamic8, .dynamic8Unsigned, .dynamic4, .normalFloat4, .linear4Unsigned, .dynamic3, .dynamic2,
  ]

  /// The bits of bitsandbytes' table.
  func testNormalFloatIsThePublishedTable() {
    XCTAssertEqual(
      Codebook.normalFloat4.values.map(\.bitPattern),
      [
        0xbf80_0000, 0xbf32_39b1, 0xbf06_6b30, 0xbeca_32a0, 0xbe91_a24d, 0xbe3d_353f, 0xbdba_7871, 0x0000_0000,
        0x3da2_faff, 0x3e24_cae3, 0x3e7c_04dd, 0x3ead_033a, 0x3ee1_a4b8, 0x3f10_07ab, 0x3f39_13b3, 0x3f80_0000,
      ])
    XCTAssertEqual(Codebook.normalFloat4.values[Codebook.normalFloat4.zeroCode], 0)
  }

  func testEveryValueHasItsOwnCode() {
    for codebook in Self.all {
      for (code, value) in codebook.values.enumerated() { XCTAssertEqual(codebook.code(nearestTo: value), code) }
      XCTAssertEqual(codebook.code(nearestTo: .nan), codebook.zeroCode)
    }
  }

  func testATieTakesTheLowerValue() {
    for codebook in Self.all {
      for (code, threshold) in codebook.thresholds.enumerated() {
        XCTAssertEqual(codebook.code(nearestTo: threshold), code)
        XCTAssertEqual(codebook.code(nearestTo: threshold.nextUp), code + 1)
      }
    }
  }
}
