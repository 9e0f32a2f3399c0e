import XCTest

@testable import ProgramSupport

final class SplitMix64Tests: XCTestCase {
  /// The first three words for seed 0, as in the test vectors that come with the published algorithm.
  func testSplitMix64() {
    var generator = SplitMix64(seed: 0)
    XCTAssertEqual(generator.next(), 0xe220_a839_7b1d_cdaf)
    XCTAssertEqual(generator.next(), 0x6e78_9e6a_a1b9_65f4)
    XCTAssertEqual(generator.next(), 0x06c4_5d18_8009_454f)
    XCTAssertEqual((1...3).map(SplitMix64.word), [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f])
    var one = SplitMix64(seed: 1, stream: "a")
    var other = SplitMix64(seed: 1, stream: "b")
    XCTAssertNotEqual(one.next(), other.next())
  }

  func testNormalNumbers() {
    var generator = SplitMix64(seed: 5)
    let values = (0..<20_000).map { _ in generator.nextNormal() }
    let mean = values.reduce(0, +) / 20_000
    let variance = values.reduce(0) { $0 + $1 * $1 } / 20_000
    XCTAssertEqual(mean, 0, accuracy: 0.03)
    XCTAssertEqual(variance, 1, accuracy: 0.05)
  }
}
