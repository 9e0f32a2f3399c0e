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

  func testThresholdsAreMidpointsWithinTwoUnits() {
    for codebook in [Codebook.dynamic8, .dynamic8Unsigned] {
      let midpoints = zip(codebook.values, codebook.values.dropFirst()).map { ($0 + $1) * 0.5 }
      XCTAssertEqual(codebook.thresholds.count, 255)
      for (index, (threshold, midpoint)) in zip(codebook.thresholds, midpoints).enumerated() {
        if !codebook.isSigned && index == 0 {
          XCTAssertEqual(threshold, 0, "a positive value never takes the code of zero")
        } else {
          let units = abs(Int(threshold.bitPattern) - Int(midpoint.bitPattern))
          XCTAssertLessThanOrEqual(units, 2, "\(codebook) \(index)")
        }
      }
    }
  }

  func testEveryValueHasItsOwnCode() {
    for codebook in [Codebook.dynamic8, .dynamic8Unsigned, .dynamic4, .linear4Unsigned, .dynamic3, .dynamic2] {
      for (code, value) in codebook.values.enumerated() { XCTAssertEqual(codebook.code(nearestTo: value), code) }
      XCTAssertEqual(codebook.code(nearestTo: .nan), codebook.zeroCode)
    }
  }

  func testATieTakesTheLowerValue() {
    for codebook in [Codebook.dynamic8, .dynamic8Unsigned, .dynamic4, .linear4Unsigned, .dynamic3, .dynamic2] {
      for (code, threshold) in codebook.thresholds.enumerated() {
        XCTAssertEqual(codebook.code(nearestTo: threshold), code)
        XCTAssertEqual(codebook.code(nearestTo: threshold.nextUp), code + 1)
      }
    }
  }
}
