import LowBitOptimizers
import XCTest

@testable import lowbit_train

/// The perceptron and the word model, forward and backward, against the plain description in Double.
final class WordModelTests: XCTestCase {
  private let sizes = WordModelSizes(vocabulary: 9, context: 2, width: 8, hidden: 16, classes: 5)
  private let inputs: [Int32] = [1, 4, 4, 0, 8, 2]
  private let targets: [Int32] = [4, 0, 3]

  func testPlainTable() {
    let model = WordModel(sizes, embedding: .plain)
    let store = store(model)
    let memory = PerceptronMemory(model.perceptron, rows: 4)
    let pass = Pass(values: store.values, gradients: store.gradients, panel: memory.panel)
    let loss = model.lossAndGradient(inputs, targets: targets, scale: 1 / 3, nil, memory, pass: pass)
    XCTAssertEqual(model.loss(inputs, targets: targets, nil, memory, pass: pass), loss)
    check(loss, store.parameters.map { ($0.name, Array($0.value), Array($0.gradient)) })
  }

  func testStableEmbedding() {
    var random = TestValues()
    let model = WordModel(sizes, embedding: .stable)
    let store = store(model)
    let layer = StableEmbedding(
      weight: random.array(sizes.vocabulary * sizes.width), dimension: sizes.width, gain: random.array(sizes.width),
      bias: random.array(sizes.width))
    let memory = PerceptronMemory(model.perceptron, rows: 3)
    let pass = Pass(values: store.values, gradients: store.gradients, panel: memory.panel)
    let loss = model.lossAndGradient(inputs, targets: targets, scale: 1 / 3, layer, memory, pass: pass)
    check(
      loss,
      store.parameters.map { ($0.name, Array($0.value), Array($0.gradient)) } + [
        ("embedding.symbols", layer.weight, layer.weightGradient), ("embedding.gain", layer.gain, layer.gainGradient),
        ("embedding.bias", layer.bias, layer.biasGradient),
      ])
  }

  func testThreeLayers() {
    var random = TestValues()
    let model = Perceptron([6, 8, 16, 4])
    let store = ParameterStore(layout: model.layout, seed: 1)
    for parameter in store.parameters { _ = parameter.value.update(from: random.array(parameter.value.count)) }
    let memory = PerceptronMemory(model, rows: 3)
    let input = random.array(18)
    _ = UnsafeMutableBufferPointer(start: memory.input, count: 18).update(from: input)
    let pass = Pass(values: store.values, gradients: store.gradients, panel: memory.panel)
    let targets: [Int32] = [3, 0, 1]
    _ = model.lossAndGradient(targets: targets, scale: 1 / 3, memory, pass: pass)
    var tensors = Dictionary(uniqueKeysWithValues: store.parameters.map { ($0.name, doubles(Array($0.value))) })
    func loss(_ input: [Double]) -> Double {
      var rows = input
      for (index, inputs) in [6, 8, 16].enumerated() {
        if index > 0 { rows = Reference.gelu(rows) }
        rows = Reference.dense(rows, tensors["layer\(index).weight"]!, tensors["layer\(index).bias"]!, inputs: inputs)
      }
      return Reference.softmaxLoss(rows, targets: targets)
    }
    let inputGradient = Array(UnsafeBufferPointer(start: memory.inputGradient, count: 18))
    assertGradient("input", inputGradient, at: input, of: loss)
    for parameter in store.parameters {
      assertGradient(parameter.name, Array(parameter.gradient), at: Array(parameter.value)) { values in
        tensors[parameter.name] = values
        return loss(doubles(input))
      }
      tensors[parameter.name] = doubles(Array(parameter.value))
    }
  }

  func testNearlyAllParametersAreWords() {
    let store = ParameterStore(layout: WordModel(WordModelSizes(), embedding: .plain).layout, seed: 1)
    let words = store.parameters.first { $0.name == "embedding.symbols" }!
    XCTAssertEqual(words.shape, [20_000, 32])
    XCTAssertGreaterThan(Double(words.value.count), 0.95 * Double(store.count))
  }

  private func store(_ model: WordModel) -> ParameterStore {
    var random = TestValues(77)
    let store = ParameterStore(layout: model.layout, seed: 1)
    for parameter in store.parameters { _ = parameter.value.update(from: random.array(parameter.value.count)) }
    return store
  }

  private func check(_ loss: Double, _ parameters: [(name: String, values: [Float], gradient: [Float])]) {
    var tensors = Dictionary(uniqueKeysWithValues: parameters.map { ($0.name, doubles($0.values)) })
    XCTAssertEqual(loss / 3, reference(tensors), accuracy: 1e-5)
    for (name, values, gradient) in parameters {
      assertGradient(name, gradient, at: values) { values in
        tensors[name] = values
        return reference(tensors)
      }
      tensors[name] = doubles(values)
    }
  }

  private func reference(_ tensors: [String: [Double]]) -> Double {
    let width = sizes.width
    var rows: [Double] = []
    for word in inputs {
      let row = Array(tensors["embedding.symbols"]![Int(word) * width..<(Int(word) + 1) * width])
      rows += tensors["embedding.gain"].map { Reference.layerNorm(row, $0, tensors["embedding.bias"]!) } ?? row
    }
    let hidden = Reference.dense(
      rows, tensors["layer0.weight"]!, tensors["layer0.bias"]!, inputs: sizes.context * width)
    let scores = Reference.dense(
      Reference.gelu(hidden), tensors["layer1.weight"]!, tensors["layer1.bias"]!, inputs: sizes.hidden)
    return Reference.softmaxLoss(scores, targets: targets)
  }
}
