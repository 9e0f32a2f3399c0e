import XCTest

@testable import lowbit_train

final class ZipfCorpusTests: XCTestCase {
  private let corpus = ZipfCorpus(vocabulary: 500, classes: 8, training: 200_000, validation: 1000, seed: 5)

  func testCommonWordsFollowZipfsLaw() {
    var counts = [Double](repeating: 0, count: 500)
    for word in corpus.training { counts[Int(word)] += 1 }
    let whole = (1...500).reduce(0) { $0 + 1 / Double($1) }
    for rank in [1, 2, 3, 5, 10, 30, 100] {
      let expected = 200_000 / (Double(rank) * whole)
      XCTAssertEqual(counts[rank - 1], expected, accuracy: 0.15 * expected + 20, "rank \(rank), seed 5")
    }
    XCTAssertGreaterThan(counts[400...].reduce(0, +), 0)
  }

  func testSameSeedGivesTheSameText() {
    let again = ZipfCorpus(vocabulary: 500, classes: 8, training: 1000, validation: 50, seed: 5)
    XCTAssertEqual(Array(corpus.training[..<1000]), again.training)
    XCTAssertEqual(again.validation.count, 50)
    let other = ZipfCorpus(vocabulary: 500, classes: 8, training: 1000, validation: 50, seed: 6)
    XCTAssertNotEqual(other.training, again.training)
  }

  func testClassesAreUsedAndPredictable() {
    XCTAssertEqual(Set(corpus.classes), Set(0..<8))
    let classes = corpus.training.map { corpus.classes[Int($0)] }
    // The entropy of a class given the one before, against that of a class alone.
    var pairs: [Int32: [Int32]] = [:]
    for (one, next) in zip(classes, classes.dropFirst()) { pairs[one, default: []].append(next) }
    let given = pairs.values.reduce(0) { $0 + Double($1.count) * unigramEntropy($1) } / Double(classes.count)
    XCTAssertLessThan(given, 0.9 * unigramEntropy(classes), "seed 5")
  }
}
