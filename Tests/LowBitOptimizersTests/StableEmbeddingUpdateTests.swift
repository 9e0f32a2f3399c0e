import LowBitOptimizers
import TestSupport
import XCTest

/// The layer under the optimizers: which rows move, in which state, and that it learns.
final class StableEmbeddingUpdateTests: XCTestCase {
  private let makers: [(name: String, make: () -> LowBitOptimizer)] = [
    ("Adam32", { Adam32(learningRate: 1e-2) }), ("Adam8bit", { Adam8bit(learningRate: 1e-2) }),
    ("Adam8bit with decay", { Adam8bit(learningRate: 1e-2, weightDecay: 0.1) }),
    ("AdamW8bit", { AdamW8bit(learningRate: 1e-2, weightDecay: 0.1) }),
    ("Momentum32", { Momentum32(learningRate: 0.1) }), ("Momentum8bit", { Momentum8bit(learningRate: 0.1) }),
    ("Momentum8bit with Nesterov", { Momentum8bit(learningRate: 0.1, nesterov: true, weightDecay: 0.1) }),
    ("AdamW4bit", { AdamW4bit(learningRate: 1e-2, weightDecay: 0.1) }),
    ("Momentum2bit", { Momentum2bit(learningRate: 0.1) }),
  ]
  /// Their random numbers depend on an element's place in the table.
  private let stochasticMakers: [(name: String, make: () -> LowBitOptimizer)] = [
    ("Adam3bit", { Adam3bit(learningRate: 1e-2) }), ("AdamW2bit", { AdamW2bit(learningRate: 1e-2, weightDecay: 0.1) }),
    (
      "AdamMixed",
      { AdamMixed(firstMoment: .dynamic4.scaled(by: .signedExtreme), secondMoment: .logarithmic2, learningRate: 1e-2) }
    ),
  ]

  private func bits(_ values: some Sequence<Float>) -> [UInt32] { values.map(\.bitPattern) }

  /// Over many steps, with momentum and weight decay, and with low-bit state where rows share blocks.
  func testRowsThatNoTokenTouchedDoNotMove() throws {
    let (rows, columns, padding) = (60, 48, 5)
    for (name, make) in makers + stochasticMakers {
      for lowBits in [false, true] {
        var generator = SeededGenerator(name)
        let optimizer = make()
        if lowBits { optimizer.sizeRule.setMinimumCount(0, for: "embedding.weight") }
        let embedding = StableEmbedding(vocabularySize: rows, dimension: columns, paddingIndex: padding, seed: 9)
        let start = embedding.weight
        for step in 1...200 {
          // The padding token always, the last ten rows never, and few of the others at a time.
          let ids = [padding] + (0..<6).map { _ in Int(generator.next() % 50) }
          _ = try embedding.forward(ids)
          embedding.backward((0..<ids.count * columns).map { _ in generator.normal() })
          let before = embedding.weight
          let stateBefore = optimizer.moments(of: "embedding.weight")
          XCTAssertEqual(embedding.update(with: optimizer).skippedBlockCount, 0)
          embedding.zeroGradients()
          let state = try XCTUnwrap(optimizer.moments(of: "embedding.weight"))
          for row in 0..<rows {
            let range = row * columns..<(row + 1) * columns
            if ids.contains(row) && row != padding {
              XCTAssertNotEqual(embedding.weight[range], before[range], "\(name), step \(step), row \(row)")
            } else {
              XCTAssertEqual(bits(embedding.weight[range]), bits(before[range]), "\(name), step \(step), row \(row)")
              guard let stateBefore, !lowBits else { continue }
              XCTAssertEqual(bits(state.first[range]), bits(stateBefore.first[range]), name)
              XCTAssertEqual(state.second.map { bits($0[range]) }, stateBefore.second.map { bits($0[range]) }, name)
            }
          }
        }
        XCTAssertEqual(bits(embedding.weight[(50 * columns)...]), bits(start[(50 * columns)...]), name)
        XCTAssertTrue(embedding.weight[padding * columns..<(padding + 1) * columns].allSatisfy { $0 == 0 }, name)
        let state = try XCTUnwrap(optimizer.moments(of: "embedding.weight"))
        XCTAssertTrue(state.first[(50 * columns)...].allSatisfy { $0 == 0 }, name)
        XCTAssertEqual(optimizer.stepCount(of: "embedding.weight"), 200)
        let isQuantized = optimizer.quantizedMoments(of: "embedding.weight")?.first != nil
        XCTAssertEqual(isQuantized, lowBits && !name.contains("32"), name)
      }
    }
  }

  /// The touched rows move exactly as if they were a tensor of their own, for any number of threads.
  func testTouchedRowsMoveLikeATensorOfTheirOwn() throws {
    var generator = SeededGenerator()
    for (columns, lowBits) in [(48, false), (300, false), (256, true), (512, true)] {
      // Alone and next to each other, the last row among them; enough of them for the step to use several threads.
      let rows = 400
      let chosen = (0..<rows).filter { $0 * $0 % 7 > 1 || $0 == rows - 1 }
      let gradients = (0..<3).map { _ in (0..<chosen.count * columns).map { _ in generator.normal() } }
      for (name, make) in makers {
        for threads in [1, 2, 7] {
          let optimizer = make()
          optimizer.threadCount = threads
          if lowBits { optimizer.sizeRule.setMinimumCount(0, for: "embedding.weight") }
          let embedding = StableEmbedding(vocabularySize: rows, dimension: columns, seed: 2)
          let alone = make()
          if lowBits { alone.sizeRule.minimumCount = 0 } else { alone.sizeRule.keep32Bit("rows") }
          var expected = chosen.flatMap { embedding.weight[$0 * columns..<($0 + 1) * columns] }
          for gradient in gradients {
            _ = try embedding.forward(chosen.reversed())
            embedding.backward(gradient)
            let own = chosen.flatMap { embedding.weightGradient[$0 * columns..<($0 + 1) * columns] }
            alone.update("rows", &expected, along: own)
            embedding.update(with: optimizer)
            embedding.zeroGradients()
          }
          let result = chosen.flatMap { embedding.weight[$0 * columns..<($0 + 1) * columns] }
          XCTAssertEqual(bits(result), bits(expected), "\(name), \(columns) columns, \(threads) threads")
        }
      }
    }
  }

  func testTheReportNamesTheRole() throws {
    func entry(_ optimizer: LowBitOptimizer, _ key: ParameterKey = "embedding.weight") throws -> StateReport.Entry {
      let embedding = StableEmbedding(vocabularySize: 10_000, dimension: 1000)
      _ = try embedding.forward([1, 2])
      embedding.backward([Float](repeating: 1, count: 2000))
      embedding.update(with: optimizer)
      return try XCTUnwrap(optimizer.report().entries.first { $0.key == key })
    }
    for optimizer in [Adam8bit(), AdamW8bit(), Momentum8bit()] as [LowBitOptimizer] {
      optimizer.sizeRule.minimumCount = 1000
      let table = try entry(optimizer)
      XCTAssertEqual(table.reason, .embedding)
      XCTAssertEqual(Set(table.formats), ["float32"])
      XCTAssertEqual(table.byteCount, 4 * table.formats.count * 10_000_000)
      XCTAssertTrue("\(optimizer.report())".contains("embedding table"))
      let gain = try XCTUnwrap(optimizer.report().entries.first { $0.key == "embedding.gain" })
      XCTAssertEqual(gain.reason, .largeEnough)
      XCTAssertEqual(optimizer.report().entries.map(\.key), ["embedding.bias", "embedding.gain", "embedding.weight"])
    }
    XCTAssertEqual(try entry(Momentum32()).reason, .optimizerIs32Bit)

    let named = Momentum8bit()
    named.sizeRule.setMinimumCount(4096, for: "embedding.weight")
    XCTAssertEqual(try entry(named).reason, .largeEnough)
    XCTAssertEqual(try entry(named).formats, ["dynamic8 in blocks of 256"])
    let kept = Momentum8bit()
    kept.sizeRule.keep32Bit("embedding.weight")
    XCTAssertEqual(try entry(kept).reason, .keptByRequest)
  }

  /// A plain embedding has the role by its update.
  func testAnyUpdateCanHaveTheRole() {
    var parameter = [Float](repeating: 0, count: 5000)
    let gradient = [Float](repeating: 1, count: 5000)
    let optimizer = Adam8bit()
    parameter.withUnsafeMutableBufferPointer { parameter in
      gradient.withUnsafeBufferPointer { gradient in
        _ = optimizer.update([TensorUpdate("wte", parameter, along: gradient, role: .embedding)])
      }
    }
    XCTAssertEqual(optimizer.report().entries[0].reason, .embedding)
    XCTAssertEqual(optimizer.stateByteCount, 40_000)
    XCTAssertTrue(parameter.allSatisfy { $0 != 0 })
  }

  func testTrainingMovesAllThreeAndReducesTheLoss() throws {
    for (name, make) in makers where !name.contains("with") {
      try train(name, make())
      // All three in low bits, where rows share blocks.
      let optimizer = make()
      optimizer.sizeRule.minimumCount = 0
      optimizer.sizeRule.setMinimumCount(0, for: "embedding.weight")
      try train("\(name), all in low bits", optimizer)
    }
  }

  private func train(_ name: String, _ optimizer: LowBitOptimizer) throws {
    var generator = SeededGenerator(name)
    let target = StableEmbedding(
      weight: (0..<40 * 16).map { _ in generator.normal() }, dimension: 16,
      gain: (0..<16).map { _ in 1 + 0.3 * generator.normal() }, bias: (0..<16).map { _ in 0.3 * generator.normal() })
    let embedding = StableEmbedding(vocabularySize: 40, dimension: 16, seed: 4)
    let start = (embedding.weight, embedding.gain, embedding.bias)
    func step(_ ids: [Int]) throws -> Float {
      let difference = zip(try embedding.forward(ids), try target.forward(ids)).map { $0 - $1 }
      embedding.backward(difference.map { $0 / Float(ids.count) })
      embedding.update(with: optimizer)
      embedding.zeroGradients()
      return difference.reduce(0) { $0 + $1 * $1 } / Float(difference.count)
    }
    let first = try step(Array(0..<40))
    for _ in 0..<600 { _ = try step((0..<20).map { _ in Int(generator.next() % 40) }) }
    let last = try step(Array(0..<40))
    print("\(name): loss \(first) at first, \(last) at last")
    XCTAssertLessThan(last, 0.1 * first, name)
    XCTAssertTrue(zip(embedding.weight, start.0).allSatisfy { $0 != $1 }, name)
    XCTAssertTrue(zip(embedding.gain, start.1).allSatisfy { $0 != $1 }, name)
    XCTAssertTrue(zip(embedding.bias, start.2).allSatisfy { $0 != $1 }, name)
  }

  func testABadGradientHarmsItsOwnRowOnly() throws {
    let embedding = StableEmbedding(vocabularySize: 20, dimension: 256, name: "token")
    let optimizer = Adam8bit(learningRate: 1e-2)
    let before = embedding.weight
    var gradient = (0..<3 * 256).map { Float($0 % 7) - 3 }
    gradient[300] = .nan
    _ = try embedding.forward([4, 5, 6])
    embedding.backward(gradient)
    XCTAssertThrowsError(try embedding.updateStrictly(with: optimizer)) { error in
      XCTAssertEqual((error as? NonFiniteGradient)?.key, "token.weight")
      XCTAssertEqual((error as? NonFiniteGradient)?.index, 5 * 256)
    }
    XCTAssertEqual(embedding.weight, before)
    XCTAssertEqual(optimizer.stateByteCount, 0)
    let summary = embedding.update(with: optimizer)
    // Three rows, gain and bias are one block each; a column of gain and of bias has the NaN too.
    XCTAssertEqual(summary.blockCount, 5)
    XCTAssertEqual(summary.skippedBlockCount, 3)
    let moved = Set(before.indices.filter { embedding.weight[$0] != before[$0] }.map { $0 / 256 })
    XCTAssertEqual(moved, [4, 6])
    XCTAssertEqual(optimizer.stepCount(of: "token.weight"), 1)
    XCTAssertEqual(optimizer.stepCount(of: "token.gain"), 0)
  }

  func testATableOfWhichNothingWasTouchedHasMadeNoStep() throws {
    let embedding = StableEmbedding(vocabularySize: 20, dimension: 8, paddingIndex: 0)
    let before = embedding.weight
    let optimizer = Adam32()
    _ = try embedding.forward([0, 0])
    embedding.backward((0..<16).map { Float($0) - 3 })
    XCTAssertEqual(embedding.update(with: optimizer).blockCount, 2)
    XCTAssertEqual(optimizer.stepCount(of: "embedding.weight"), 0)
    XCTAssertEqual(optimizer.stepCount(of: "embedding.bias"), 1)
    XCTAssertEqual(embedding.weight, before)
  }

  func testClippingAndTiedWeights() throws {
    let embedding = StableEmbedding(vocabularySize: 6, dimension: 4, paddingIndex: 2)
    _ = try embedding.forward([1, 1, 2])
    embedding.backward((0..<12).map { Float($0 * $0) / 50 })
    embedding.addWeightGradient((0..<24).map(Float.init))
    XCTAssertEqual(Array(embedding.weightGradient[8..<12]), [0, 0, 0, 0])
    XCTAssertEqual(Array(embedding.weightGradient[12..<24]), (12..<24).map(Float.init))
    let all = embedding.weightGradient + embedding.gainGradient + embedding.biasGradient
    let squares = all.reduce(0) { $0 + Double($1) * Double($1) }
    XCTAssertEqual(embedding.gradientSquareSum, squares, accuracy: 1e-9 * squares)
    embedding.scaleGradients(by: 0.5)
    XCTAssertEqual(embedding.weightGradient + embedding.gainGradient + embedding.biasGradient, all.map { $0 / 2 })
    let before = embedding.weight
    embedding.update(with: Adam8bit())
    let moved = Set(before.indices.filter { embedding.weight[$0] != before[$0] }.map { $0 / 4 })
    XCTAssertEqual(moved, [0, 1, 3, 4, 5])
    embedding.zeroGradients()
    XCTAssertEqual(embedding.gradientSquareSum, 0)
    XCTAssertTrue((embedding.weightGradient + embedding.gainGradient + embedding.biasGradient).allSatisfy { $0 == 0 })
  }
}
