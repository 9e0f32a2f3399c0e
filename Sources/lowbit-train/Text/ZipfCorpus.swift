import Foundation
import ProgramSupport

/// Made-up text over a large vocabulary: word number r (from 1) makes up 1/r of the most common one's share.
///
/// Words belong to hidden classes. The class of the next word depends on one of the two words before it, chosen by chance
/// (a mixture transition model: Raftery, "A model for high-order Markov chains", 1985); which of its class it is depends on
/// frequencies alone. The transitions are balanced so that the shares stay those of Zipf's law.
struct ZipfCorpus: Sendable {
  /// The class of each word; words are numbered by frequency.
  let classes: [Int32]
  let training: [Int32]
  let validation: [Int32]

  /// The chance that the class depends on the last word, and not on the one before.
  private static let lastWordShare = 0.75
  /// The spread of the logarithms of the transitions before they are balanced: some are hundreds of times likelier.
  private static let contrast = 3.0

  init(vocabulary: Int, classes classCount: Int, training: Int, validation: Int, seed: UInt64) {
    var random = SplitMix64(seed: seed, stream: "Zipf corpus")
    let classes = (0..<vocabulary).map { word in
      // The first words make sure that no class is empty.
      Int32(word < classCount ? word : Int(random.nextUniform() * Double(classCount)))
    }
    var members = [[Int]](repeating: [], count: classCount)
    for (word, number) in classes.enumerated() { members[Int(number)].append(word) }
    let words = members.map { Distribution($0.map { 1 / Double($0 + 1) }) }
    let shares = words.map(\.total)
    let afterLast = Self.transitions(shares, &random)
    let afterSecondLast = Self.transitions(shares, &random)

    let start = Distribution(shares)
    var previous = (last: start.draw(&random), secondLast: start.draw(&random))
    var text: [Int32] = []
    text.reserveCapacity(training + validation)
    for _ in 0..<training + validation {
      let next =
        random.nextUniform() < Self.lastWordShare
        ? afterLast[previous.last].draw(&random) : afterSecondLast[previous.secondLast].draw(&random)
      text.append(Int32(members[next][words[next].draw(&random)]))
      previous = (next, previous.last)
    }
    self.classes = classes
    self.training = Array(text[..<training])
    self.validation = Array(text[training...])
  }

  /// For each class the distribution of the class that depends on it. Random, then balanced by Sinkhorn's method until
  /// `shares` are what the transitions lead to.
  private static func transitions(_ shares: [Double], _ random: inout SplitMix64) -> [Distribution] {
    let count = shares.count
    var matrix = (0..<count).map { _ in (0..<count).map { _ in exp(contrast * random.nextNormal()) } }
    for _ in 0..<200 {
      for column in 0..<count {
        let factor = shares[column] / matrix.reduce(0) { $0 + $1[column] }
        for row in 0..<count { matrix[row][column] *= factor }
      }
      for row in 0..<count {
        let factor = shares[row] / matrix[row].reduce(0, +)
        for column in 0..<count { matrix[row][column] *= factor }
      }
    }
    return matrix.map(Distribution.init)
  }
}

/// Chances of the numbers 0, 1, 2 …, given as weights.
private struct Distribution {
  private let sums: [Double]

  init(_ weights: [Double]) {
    var sum = 0.0
    sums = weights.map { weight in
      sum += weight
      return sum
    }
  }

  var total: Double { sums.last ?? 0 }

  func draw(_ random: inout SplitMix64) -> Int {
    let point = random.nextUniform() * total
    var (low, high) = (0, sums.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if sums[middle] > point { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
