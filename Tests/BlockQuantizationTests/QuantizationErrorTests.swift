import BlockQuantization
import TestSupport
import XCTest

final class QuantizationErrorTests: XCTestCase {
  func testMeasuresOfAKnownTensor() {
    // In a block whose largest is 1, 0.5 becomes 0.5007812 and −1 becomes −0.99296874.
    let error = QuantizationError(of: .dynamic8, on: [1, 0.5, -1, 0])
    XCTAssertEqual(error.maximum, 0.00703126, accuracy: 1e-7)
    XCTAssertEqual(error.mean, (0.00078124 + 0.00703126) / 4, accuracy: 1e-7)
    XCTAssertEqual(
      error.rootMeanSquare, ((0.00078124 * 0.00078124 + 0.00703126 * 0.00703126) / 4).squareRoot(), accuracy: 1e-7)
    XCTAssertEqual(error.shareOfCodesUsed, 4 / 256)
    XCTAssertEqual(error.count, 4)
    XCTAssertEqual(error.description.prefix(29), "error of 4 values: mean 0.001")
  }

  func testRelativeMeasuresUseTheBlockOfEachValue() {
    let small = [Float](repeating: 1e-3, count: 256)
    let error = QuantizationError(of: .dynamic8, on: small.map { -$0 } + [Float](repeating: 1, count: 256))
    XCTAssertEqual(error.maximumRelativeToBlock, 0.00703126, accuracy: 1e-6)
    XCTAssertEqual(error.meanRelativeToBlock, 0.00703126 / 2, accuracy: 1e-6)
    XCTAssertEqual(error.maximum, 0.00703126e-3, accuracy: 1e-9)
  }

  func testDataThatNoQuantizerHoldsHasInfiniteError() {
    for bad in [Float.nan, .infinity, -.infinity] {
      let error = QuantizationError(of: .dynamic8, on: [1, bad, 0.5])
      for measure in [
        error.mean, error.maximum, error.rootMeanSquare, error.meanRelativeToBlock, error.maximumRelativeToBlock,
      ] { XCTAssertEqual(measure, .infinity) }
    }
  }

  func testEmptyAndZeroInput() {
    XCTAssertEqual(QuantizationError(of: .dynamic8, on: []).maximum, 0)
    XCTAssertEqual(QuantizationError(of: .dynamic8Unsigned, on: [0, 0]).maximumRelativeToBlock, 0)
  }

  /// The mean errors that exact nearest rounding gives on a million normal and uniform values.
  func testMeanErrorsByBlockSize() {
    var generator = SeededGenerator()
    let normal = (0..<1 << 18).map { _ in generator.normal() }
    let uniform = (0..<1 << 18).map { _ in generator.uniform() }
    for (blockSize, ofNormal, ofUniform) in [
      (64, 0.00752, 0.00156), (128, 0.00805, 0.00159), (256, 0.00854, 0.00160), (512, 0.00896, 0.00160),
    ] {
      let signed = QuantizationError(of: BlockQuantizer(.dynamic8, blockSize: blockSize), on: normal)
      XCTAssertEqual(signed.mean, ofNormal, accuracy: 0.01 * ofNormal, "\(blockSize): \(signed)")
      let unsigned = QuantizationError(of: BlockQuantizer(.dynamic8Unsigned, blockSize: blockSize), on: uniform)
      XCTAssertEqual(unsigned.mean, ofUniform, accuracy: 0.01 * ofUniform, "\(blockSize): \(unsigned)")
    }
  }

  /// The top decade's half step is 0.7 % of the block's largest, and so is the gap between −0.993 and −1.
  func testTheErrorIsBoundedOnAnyData() {
    var generator = SeededGenerator()
    let values = (0..<100_000).map { _ in generator.wideRange() }
    let error = QuantizationError(of: .dynamic8, on: values)
    XCTAssertLessThanOrEqual(error.maximumRelativeToBlock, 0.007032, "\(error)")
  }
}
