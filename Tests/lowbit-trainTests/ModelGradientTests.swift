import LowBitOptimizers
import XCTest

@testable import lowbit_train

/// The whole model, forward and backward, against an independent one in Double.
final class ModelGradientTests: XCTestCase {
  private let sizes = CharacterModelSizes(vocabulary: 7, context: 5, width: 8, heads: 2, blocks: 2)

  func testLossAndEveryGradient() {
    var random = TestValues()
    let model = CharacterModel(sizes)
    let store = ParameterStore(layout: model.layout, seed: 1)
    // Gains and biases too: at their start values of 1 and 0 some mistakes would not show.
    for parameter in store.parameters {
      for i in parameter.value.indices { parameter.value[i] = random.next() }
    }
    let inputs: [Int32] = [1, 4, 4, 0, 6, 2, 5, 3, 3, 1]
    let targets: [Int32] = [4, 4, 0, 6, 2, 5, 3, 3, 1, 0]
    let memory = CharacterModelMemory(model, sequences: 2)
    let pass = Pass(values: store.values, gradients: store.gradients, panel: memory.panel)
    let loss = model.lossAndGradient(inputs, targets: targets, scale: 1 / Float(targets.count), memory, pass: pass)

    var reference = ReferenceModel(sizes: sizes)
    for parameter in store.parameters { reference.tensors[parameter.name] = doubles(Array(parameter.value)) }
    let expected = reference.loss(inputs, targets: targets)
    XCTAssertEqual(loss / Double(targets.count), expected, accuracy: 1e-6 * expected)
    XCTAssertEqual(model.loss(inputs, targets: targets, memory, pass: pass), loss)

    for parameter in store.parameters {
      assertGradient(parameter.name, Array(parameter.gradient), at: Array(parameter.value)) { values in
        reference.tensors[parameter.name] = values
        return reference.loss(inputs, targets: targets)
      }
      reference.tensors[parameter.name] = doubles(Array(parameter.value))
    }
  }

  func testStableEmbeddingInFrontOfTheModel() {
    var random = TestValues()
    let model = CharacterModel(sizes, embedding: .stable)
    let store = ParameterStore(layout: model.layout, seed: 1)
    for parameter in store.parameters {
      for i in parameter.value.indices { parameter.value[i] = random.next() }
    }
    XCTAssertFalse(store.parameters.contains { $0.name == "embedding.symbols" })
    let layer = StableEmbedding(
      weight: random.array(sizes.vocabulary * sizes.width), dimension: sizes.width, gain: random.array(sizes.width),
      bias: random.array(sizes.width))
    let inputs: [Int32] = [1, 4, 4, 0, 6, 2, 5, 3, 3, 1]
    let targets: [Int32] = [4, 4, 0, 6, 2, 5, 3, 3, 1, 0]
    let memory = CharacterModelMemory(model, sequences: 2)
    let pass = Pass(values: store.values, gradients: store.gradients, panel: memory.panel)
    layer.lookUp(inputs, into: memory.streams[0])
    let loss = model.lossAndGradient(inputs, targets: targets, scale: 1 / Float(targets.count), memory, pass: pass)
    layer.backward(UnsafeBufferPointer(start: memory.stream, count: inputs.count * sizes.width))

    var reference = ReferenceModel(sizes: sizes)
    for parameter in store.parameters { reference.tensors[parameter.name] = doubles(Array(parameter.value)) }
    let own = [
      ("embedding.symbols", layer.weight, layer.weightGradient), ("embedding.gain", layer.gain, layer.gainGradient),
      ("embedding.bias", layer.bias, layer.biasGradient),
    ]
    for (name, values, _) in own { reference.tensors[name] = doubles(values) }
    XCTAssertEqual(loss / Double(targets.count), reference.loss(inputs, targets: targets), accuracy: 1e-5)

    let positions = store.parameters.first { $0.name == "embedding.positions" }!
    for (name, values, gradient) in own
      + [(positions.name, Array(positions.value), Array(positions.gradient))]
    {
      assertGradient(name, gradient, at: values) { values in
        reference.tensors[name] = values
        return reference.loss(inputs, targets: targets)
      }
      reference.tensors[name] = doubles(values)
    }
  }

  func testEveryParameterHasItsNameShapeAndPlace() {
    let model = CharacterModel(CharacterModelSizes(vocabulary: 70))
    let store = ParameterStore(layout: model.layout, seed: 1)
    XCTAssertEqual(store.parameters.count, 2 + 2 * 12 + 4)
    XCTAssertEqual(Set(store.parameters.map(\.name)).count, store.parameters.count)
    for parameter in store.parameters {
      XCTAssertEqual(parameter.shape.reduce(1, *), parameter.value.count, parameter.name)
      XCTAssertEqual(parameter.gradient.count, parameter.value.count, parameter.name)
    }
    for (one, next) in zip(model.layout.slots, model.layout.slots.dropFirst()) {
      XCTAssertLessThanOrEqual(one.offset + one.count, next.offset, "\(one.name) runs into \(next.name)")
    }
    let small = store.parameters.filter { $0.value.count < 4096 }.reduce(0) { $0 + $1.value.count }
    XCTAssertLessThan(Double(small), 0.05 * Double(store.count), "most values must be in tensors that are quantized")
  }
}

/// The character model, straight from its description.
private struct ReferenceModel {
  let sizes: CharacterModelSizes
  var tensors: [String: [Double]] = [:]

  func loss(_ inputs: [Int32], targets: [Int32]) -> Double {
    let width = sizes.width
    var stream: [Double] = []
    for (row, symbol) in inputs.enumerated() {
      var values = Array(tensors["embedding.symbols"]![Int(symbol) * width..<(Int(symbol) + 1) * width])
      if let gain = tensors["embedding.gain"] {
        values = Reference.layerNorm(values, gain, tensors["embedding.bias"]!)
      }
      let position = row % sizes.context * width
      stream += sum(values, Array(tensors["embedding.positions"]![position..<position + width]))
    }
    for block in 0..<sizes.blocks {
      let name = "block\(block)"
      let projections = dense("\(name).attention.projections", norm("\(name).norm1", stream), width)
      let heads = Reference.attention(projections, width: width, heads: sizes.heads, context: sizes.context)
      stream = sum(stream, dense("\(name).attention.mixing", heads, width))
      let expanded = Reference.gelu(dense("\(name).expansion", norm("\(name).norm2", stream), width))
      stream = sum(stream, dense("\(name).contraction", expanded, 4 * width))
    }
    return Reference.softmaxLoss(dense("output", norm("norm", stream), width), targets: targets)
  }

  private func norm(_ name: String, _ x: [Double]) -> [Double] {
    Reference.layerNorm(x, tensors["\(name).gain"]!, tensors["\(name).bias"]!)
  }

  private func dense(_ name: String, _ x: [Double], _ inputs: Int) -> [Double] {
    Reference.dense(x, tensors["\(name).weight"]!, tensors["\(name).bias"]!, inputs: inputs)
  }

  private func sum(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { $0 + $1 } }
}
