import LowBitOptimizers
import TestSupport
import XCTest

/// The layer's passes and initial values.
final class StableEmbeddingTests: XCTestCase {
  private func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }

  private func assertEqual(_ values: [Float], _ expected: [Float], accuracy: Float, _ name: String) {
    XCTAssertEqual(values.count, expected.count, name)
    for (index, (value, expected)) in zip(values, expected).enumerated() {
      XCTAssertEqual(value, expected, accuracy: accuracy, "\(name) \(index)")
    }
  }

  /// A padding row, a row of zeros (where gradients reach 804) and an id that repeats are among the data.
  func testGoldenPasses() throws {
    let golden = try Safetensors(
      Bundle.module.url(forResource: "Golden/bnb_stable_embedding", withExtension: "safetensors")!)
    let embedding = StableEmbedding(
      weight: golden.floats("weight"), dimension: golden.shape("weight")[1], gain: golden.floats("ln_weight"),
      bias: golden.floats("ln_bias"), paddingIndex: 3)
    let output = try embedding.forward(golden.integers("ids"))
    assertEqual(output, golden.floats("output"), accuracy: 1e-6, "output")
    embedding.backward(golden.floats("grad_output"))
    for (name, gradient) in [
      ("grad_weight", embedding.weightGradient), ("grad_ln_weight", embedding.gainGradient),
      ("grad_ln_bias", embedding.biasGradient),
    ] {
      let expected = golden.floats(name)
      assertEqual(gradient, expected, accuracy: 1e-5 * expected.map(\.magnitude).max()!, name)
    }
    XCTAssertTrue(embedding.weightGradient[3 * 48..<4 * 48].allSatisfy { $0 == 0 })
  }

  func testInitialBoundsAndVariances() throws {
    let (rows, columns) = (20_000, 256)
    let embedding = StableEmbedding(vocabularySize: rows, dimension: columns, paddingIndex: 7, seed: 5)
    let bound = (6 / Double(rows + columns)).squareRoot()
    XCTAssertTrue(embedding.weight.allSatisfy { $0.magnitude <= Float(bound) })
    XCTAssertGreaterThan(Double(embedding.weight.max()!), 0.999 * bound)
    XCTAssertLessThan(Double(embedding.weight.min()!), -0.999 * bound)
    XCTAssertTrue(embedding.weight[7 * columns..<8 * columns].allSatisfy { $0 == 0 })
    let count = Double((rows - 1) * columns)
    let variance = embedding.weight.reduce(0) { $0 + Double($1) * Double($1) } / count
    XCTAssertEqual(variance, bound * bound / 3, accuracy: 0.01 * bound * bound / 3)
    let mean = embedding.weight.reduce(0) { $0 + Double($1) } / count
    XCTAssertEqual(mean, 0, accuracy: 5 * (variance / count).squareRoot())
    XCTAssertEqual(embedding.gain, [Float](repeating: 1, count: columns))
    XCTAssertEqual(embedding.bias, [Float](repeating: 0, count: columns))

    // So small are the initial values that ε counts: the output's variance is v / (v + ε), not 1.
    let output = try embedding.forward(Array(1000..<3000))
    let outputVariance = output.reduce(0) { $0 + Double($1) * Double($1) } / Double(output.count)
    XCTAssertEqual(outputVariance, variance / (variance + 1e-5), accuracy: 0.01)
    for row in 0..<2000 {
      let mean = output[row * columns..<(row + 1) * columns].reduce(0) { $0 + Double($1) } / Double(columns)
      XCTAssertEqual(mean, 0, accuracy: 1e-6)
    }
  }

  func testTheSeedDeterminesTheTable() {
    func weight(_ seed: UInt64) -> [Float] { StableEmbedding(vocabularySize: 30, dimension: 7, seed: seed).weight }
    XCTAssertEqual(weight(1), weight(1))
    XCTAssertNotEqual(weight(1), weight(2))
    XCTAssertEqual(Set(weight(1)).count, 210)
  }

  func testFiniteDifferences() throws {
    var generator = SeededGenerator()
    for dimension in [1, 2, 5, 8] {
      let ids = [4, 0, 2, 2, 5, 0, 2]
      let layer = StableEmbedding(
        weight: (0..<6 * dimension).map { _ in generator.normal() }, dimension: dimension,
        gain: (0..<dimension).map { _ in generator.normal() }, bias: (0..<dimension).map { _ in generator.normal() },
        paddingIndex: 5)
      let factors = (0..<ids.count * dimension).map { _ in generator.normal() }
      // A loss of the first and second order, so that the output's gradient depends on the output.
      func loss() throws -> Double {
        zip(try layer.forward(ids), factors).reduce(0) { $0 + Double($1.1) * Double($1.0) * (1 + Double($1.0) / 2) }
      }
      layer.backward(zip(try layer.forward(ids), factors).map { $1 * (1 + $0) })

      func compare(_ path: ReferenceWritableKeyPath<StableEmbedding, [Float]>, _ gradient: [Float]) throws {
        let largest = max(gradient.map(\.magnitude).max()!, 1)
        for index in gradient.indices {
          let value = layer[keyPath: path][index]
          let step: Float = 0x1p-8
          func difference(_ step: Float) throws -> Double {
            layer[keyPath: path][index] = value + step
            let above = try loss()
            layer[keyPath: path][index] = value - step
            let below = try loss()
            layer[keyPath: path][index] = value
            return (above - below) / (2 * Double(step))
          }
          // Richardson's extrapolation removes the error of second order.
          let expected = (4 * (try difference(step)) - (try difference(2 * step))) / 3
          let isPadding = path == \StableEmbedding.weight && index / dimension == 5
          XCTAssertEqual(
            Double(gradient[index]), isPadding ? 0 : expected, accuracy: 1e-3 * Double(largest),
            "dimension \(dimension), \(path) \(index)")
        }
      }
      try compare(\.weight, layer.weightGradient)
      try compare(\.gain, layer.gainGradient)
      try compare(\.bias, layer.biasGradient)
    }
  }

  func testAnyNumberOfThreadsGivesTheSameBits() throws {
    var generator = SeededGenerator()
    let (rows, columns) = (500, 70)
    let ids = (0..<3000).map { _ in min(Int(exp2(9 * generator.uniform())) - 1, rows - 1) }
    XCTAssertGreaterThan(ids.count { $0 == 0 }, 200)
    let gradients = (0..<2).map { _ in (0..<ids.count * columns).map { _ in generator.wideRange() } }
    var expected: [[UInt32]]?
    for threads in 1...8 {
      let embedding = StableEmbedding(vocabularySize: rows, dimension: columns, paddingIndex: 1, seed: 3)
      embedding.threadCount = threads
      let output = try embedding.forward(ids)
      for gradient in gradients { embedding.backward(gradient) }
      let result = [output, embedding.weightGradient, embedding.gainGradient, embedding.biasGradient].map(bits)
      XCTAssertEqual(result, expected ?? result, "\(threads) threads")
      expected = result
    }
  }

  /// The same as with one pass for each position, but for rounding.
  func testRepeatedIdsAddUp() throws {
    var generator = SeededGenerator()
    let ids = [2, 0, 2, 2, 1, 0]
    let gradient = (0..<ids.count * 9).map { _ in generator.normal() }
    let together = StableEmbedding(vocabularySize: 3, dimension: 9)
    let apart = StableEmbedding(vocabularySize: 3, dimension: 9)
    _ = try together.forward(ids)
    together.backward(gradient)
    for (position, id) in ids.enumerated() {
      _ = try apart.forward([id])
      apart.backward(Array(gradient[position * 9..<(position + 1) * 9]))
    }
    for (a, b) in [
      (together.weightGradient, apart.weightGradient), (together.gainGradient, apart.gainGradient),
      (together.biasGradient, apart.biasGradient),
    ] {
      assertEqual(a, b, accuracy: 1e-6 * max(a.map(\.magnitude).max()!, 1), "gradient")
    }
  }

  func testAnIdOutOfRangeIsAnErrorAndChangesNothing() throws {
    let embedding = StableEmbedding(vocabularySize: 10, dimension: 4, seed: 1)
    var output = try embedding.forward([1, 2])
    let before = output
    for (ids, position) in [([1, 10], 1), ([-1, 3], 0), ([0, .max], 1), ([Int.min, 10], 0)] {
      do {
        try embedding.forward(ids, into: &output)
        XCTFail("\(ids) are not ids of 10")
      } catch {
        XCTAssertEqual(error, .idOutOfRange(id: ids[position], position: position, vocabularySize: 10))
        XCTAssertEqual("\(error)", "token id \(ids[position]) at position \(position) is not in 0..<10")
      }
      XCTAssertEqual(output, before)
    }
    // The layer still stands after the pass over 1 and 2.
    embedding.backward([1, 2, -3, 4, 1, 0, 0, 0])
    let touched = Set(embedding.weightGradient.indices.filter { embedding.weightGradient[$0] != 0 }.map { $0 / 4 })
    XCTAssertEqual(touched, [1, 2])
  }

  func testAllFormsDoTheSame() throws {
    let embedding = StableEmbedding(vocabularySize: 10, dimension: 4, seed: 1)
    let output = try embedding.forward([3, 9, 3])
    var array = [Float](repeating: 0, count: 12)
    try embedding.forward([3, 9, 3], into: &array)
    XCTAssertEqual(array, output)
    let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: 12)
    defer { memory.deallocate() }
    memory.initialize(repeating: 0)
    try embedding.forward([3, 9, 3], into: memory)
    XCTAssertEqual(Array(memory), output)
    XCTAssertEqual(Array(output[0..<4]), Array(output[8..<12]))
    XCTAssertEqual(try embedding.forward([]), [])
    embedding.backward([])
    XCTAssertTrue(embedding.weightGradient.allSatisfy { $0 == 0 })
  }
}
