import Foundation
import LowBitOptimizers
import TestSupport
import XCTest

@testable import lowbit_train

final class TableRoundingTests: XCTestCase {
  /// Over seven decades, with zeros and subnormals among them.
  private func values(_ count: Int, signed: Bool) -> [Float] {
    var random = TestValues()
    return (0..<count).map { index in
      if index % 97 == 0 { return index % 2 == 0 ? 0 : .leastNonzeroMagnitude }
      let value = random.next() * Float(pow(10, Double(random.next()) * 4))
      return signed ? value : abs(value)
    }
  }

  func testBlocksAreThoseOfThePackage() {
    for (codebook, signed) in [(Codebook.dynamic8, true), (.dynamic8Unsigned, false)] {
      for size in [64, 256] {
        let values = values(3000, signed: signed)
        let expected = BlockQuantizer(codebook, blockSize: size).encode(values).decode()
        let found = rounded(values, TableRounding(codebook, scope: .blocks(size)))
        let difference = zip(found, expected).enumerated().first { $1.0.bitPattern != $1.1.bitPattern }
        XCTAssertNil(difference, "\(codebook) in blocks of \(size), seed \(TestValues.seed)")
      }
    }
  }

  func testWholeTensorsTakeTheNearestLevel() {
    for (table, signed) in [(TableRounding.linear, true), (.linearUnsigned, false)] {
      let levels = signed ? (-127...127).map { Float($0) / 127 } : (0...255).map { Float($0) / 255 }
      let values = values(2000, signed: signed)
      let scale = values.map(abs).max()!
      for (value, found) in zip(values, rounded(values, table)) {
        let nearest = levels.map { abs($0 * scale - value) }.min()!
        XCTAssertEqual(abs(found - value), nearest, accuracy: 1e-5 * scale, "\(value), seed \(TestValues.seed)")
      }
    }
  }

  func testSmallSecondMomentsVanishOrNot() {
    let values: [Float] = [1, 1e-7, 0, 1e-30]
    XCTAssertEqual(rounded(values, .dynamicUnsigned(.wholeTensor)), [1, 0, 0, 0])
    let kept = rounded(values, TableRounding(.dynamic8Unsigned, scope: .wholeTensor))
    XCTAssertEqual(kept[2], 0)
    XCTAssertEqual([kept[1], kept[3]], [3.2500003e-07, 3.2500003e-07])
  }

  func testZerosStayZero() {
    XCTAssertEqual(rounded([0, 0, -0.0], .linear), [0, 0, 0])
    XCTAssertEqual(rounded([], .linear), [])
  }

  func testNormalFloatTakesTheNearestLevel() {
    let values = values(1000, signed: true)
    let found = rounded(values, .normalFloat4(.blocks(128)))
    for start in stride(from: 0, to: values.count, by: 128) {
      let block = start..<min(start + 128, values.count)
      let scale = values[block].map(abs).max()!
      for i in block {
        let nearest = normalFloat4.map { abs($0 * scale - values[i]) }.min()!
        XCTAssertEqual(abs(found[i] - values[i]), nearest, accuracy: 1e-6 * scale, "\(i), seed \(TestValues.seed)")
      }
    }
    // Unlike the dynamic map, it has both extremes.
    XCTAssertEqual(rounded([-2, 1.9, 0], .normalFloat4(.blocks(128))), [-2, 2, 0])
  }

  private let normalFloat4: [Float] = [
    -1, -0.6961928, -0.52507305, -0.3949175, -0.28444138, -0.18477343, -0.091050036, 0, 0.0795803, 0.1609302,
    0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1,
  ]

  func testSignedExtremesAreExact() {
    let values: [Float] = [0.2, -3, 3, 1e-9]
    let found = rounded(values, TableRounding(.dynamic4, scope: .blocks(128), scaledBy: .signedExtreme))
    XCTAssertEqual(found[1], -3)
    XCTAssertEqual(found[2], 0.8875 * 3)
  }

  func testCorrectedScalesKeepTheProjection() {
    let values = values(640, signed: false)
    let found = rounded(values, .zeroExcludedEDEN)
    for start in stride(from: 0, to: values.count, by: 128) {
      let block = start..<start + 128
      let square = block.reduce(0) { $0 + Double(values[$1]) * Double(values[$1]) }
      let product = block.reduce(0) { $0 + Double(values[$1]) * Double(found[$1]) }
      XCTAssertEqual(product / square, 1, accuracy: 1e-5, "seed \(TestValues.seed)")
    }
    XCTAssertEqual(rounded([0, 0, 0], .zeroExcludedEDEN), [0, 0, 0])
  }
}

final class FactoredRoundingTests: XCTestCase {
  func testMeansAreKept() {
    var random = TestValues()
    let (rows, columns) = (32, 48)
    let values = (0..<rows * columns).map { $0 / columns == 3 ? 0 : abs(random.next()) }
    let found = rounded(values, FactoredRounding(), shape: [rows, columns])
    func rowSum(_ matrix: [Float], _ row: Int) -> Float { (0..<columns).reduce(0) { $0 + matrix[row * columns + $1] } }
    func columnSum(_ matrix: [Float], _ column: Int) -> Float {
      (0..<rows).reduce(0) { $0 + matrix[$1 * columns + column] }
    }
    for row in 0..<rows { XCTAssertEqual(rowSum(found, row), rowSum(values, row), accuracy: 1e-4) }
    for column in 0..<columns { XCTAssertEqual(columnSum(found, column), columnSum(values, column), accuracy: 1e-4) }
    XCTAssertEqual(rowSum(found, 3), 0)
    XCTAssertEqual(FactoredRounding().byteCount(of: [rows, columns]), 4 * (rows + columns))
  }

  func testWhatIsNoMatrixIsKept() {
    XCTAssertEqual(rounded([1, 2, 3], FactoredRounding()), [1, 2, 3])
    let zeros = [Float](repeating: 0, count: 1024)
    XCTAssertEqual(rounded(zeros, FactoredRounding(), shape: [32, 32]), zeros)
  }
}

final class PreconditionerRoundingTests: XCTestCase {
  /// Over many steps, what Adam divides by is right in the mean.
  func testPreconditionersAreUnbiased() {
    let setting = AdamSetting(beta2: 0.9, epsilon: 1e-3)
    let values: [Float] = [1, 0.5, 0.3, 0.01, 0.002, 1e-5, 0]
    let draws = 20_000
    var sums = [Double](repeating: 0, count: values.count)
    // So late that there is nothing left to correct for.
    for step in 1000..<1000 + draws {
      let found = rounded(values, .zeroInPreconditioner(seed: 7), step: step, setting: setting)
      for i in values.indices { sums[i] += 1 / (Double(found[i]).squareRoot() + 1e-3) }
    }
    for i in values.indices {
      let expected = 1 / (Double(values[i]).squareRoot() + 1e-3)
      XCTAssertEqual(sums[i] / Double(draws) / expected, 1, accuracy: 0.05, "\(values[i])")
    }
  }

  func testRandomNumbersFollowFromSeedKeyAndStep() {
    let values = (0..<1000).map { Float($0) / 1000 }
    let one = rounded(values, .zeroInPreconditioner(seed: 7), step: 3)
    XCTAssertEqual(one, rounded(values, .zeroInPreconditioner(seed: 7), step: 3))
    XCTAssertNotEqual(one, rounded(values, .zeroInPreconditioner(seed: 7), step: 4))
    XCTAssertNotEqual(one, rounded(values, .zeroInPreconditioner(seed: 8), step: 3))
  }
}

private func rounded(
  _ values: [Float], _ rounding: some MomentRounding, shape: [Int]? = nil, step: Int = 1,
  setting: AdamSetting = AdamSetting()
) -> [Float] {
  var values = values
  let moment = RoundedMoment(key: "w", shape: shape ?? [values.count], step: step, setting: setting)
  values.withUnsafeMutableBufferPointer { rounding.round($0, of: moment) }
  return values
}
