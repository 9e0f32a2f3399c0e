import XCTest

@testable import lowbit_train

final class WordTaskTests: XCTestCase {
  private let sizes = WordModelSizes(vocabulary: 300, context: 2, width: 8, hidden: 16, classes: 6)
  private let corpus = ZipfCorpus(vocabulary: 300, classes: 6, training: 20_000, validation: 2000, seed: 3)

  private func task(_ embedding: TokenEmbedding) -> WordTask {
    WordTask(corpus, sizes: sizes, embedding: embedding, seed: 1, batch: 64, validationWindows: 512)
  }

  func testAnUntrainedModelHasNoOpinion() {
    for embedding in [TokenEmbedding.plain, .stable] {
      XCTAssertEqual(task(embedding).validationLoss(), log(6.0), accuracy: 0.5)
    }
  }

  /// Nothing of the batch before may be left in the gradients, of the table either.
  func testEveryStepStartsAfresh() {
    for embedding in [TokenEmbedding.plain, .stable] {
      let task = task(embedding)
      func gradients() -> [[Float]] {
        var position = DataPosition(seed: 9)
        _ = task.lossAndGradient(at: &position)
        return task.parameters.parameters.map { Array($0.gradient) } + [task.stableEmbedding?.weightGradient ?? []]
      }
      let first = gradients()
      _ = task.validationLoss()
      XCTAssertEqual(gradients(), first)
    }
  }

  func testClippingIsOverAllParametersTogether() {
    let task = task(.stable)
    var position = DataPosition(seed: 1)
    _ = task.lossAndGradient(at: &position)
    let layer = task.stableEmbedding!
    let own = task.parameters.gradientSquareSum
    XCTAssertGreaterThan(layer.gradientSquareSum, 0)
    let length = task.clipGradient(to: 1e-3)
    XCTAssertEqual(
      length, (own + Double(layer.gradientSquareSum) * (length / 1e-3) * (length / 1e-3)).squareRoot(),
      accuracy: 1e-4 * length)
    XCTAssertEqual((task.parameters.gradientSquareSum + layer.gradientSquareSum).squareRoot(), 1e-3, accuracy: 1e-8)
  }

  func testParameterCountHoldsTheTable() {
    XCTAssertEqual(task(.stable).parameterCount, task(.plain).parameterCount + 2 * sizes.width)
  }
}
