import XCTest

@testable import lowbit_train

/// Each layer against its Double reference: what it computes, and every gradient.
///
/// The "loss" is a fixed random mix of the layer's outputs, so the mix itself is the gradient of the outputs.
final class LayerTests: XCTestCase {
  private var random = TestValues()

  func testDense() {
    let (rows, inputs, outputs) = (5, 11, 13)
    var layout = ParameterLayout()
    let dense = Dense("dense", inputs: inputs, outputs: outputs, deviation: 1, layout: &layout)
    let bench = Bench(layout, depth: 16, random: &random)
    let (x, mix) = (random.array(rows * inputs), random.array(rows * outputs))
    let (weight, bias) = (bench.value(dense.weight), bench.value(dense.bias))

    let y = filled(rows * outputs) { dense.forward(x, $0, rows: rows, pass: bench.pass) }
    let dx = filled(rows * inputs) {
      dense.backward(input: x, outputGradient: mix, inputGradient: $0, rows: rows, pass: bench.pass)
    }

    func loss(_ x: [Double], _ weight: [Double], _ bias: [Double]) -> Double {
      mixed(Reference.dense(x, weight, bias, inputs: inputs), mix)
    }
    assertClose("output", y, Reference.dense(doubles(x), doubles(weight), doubles(bias), inputs: inputs))
    assertGradient("input", dx, at: x) { loss($0, doubles(weight), doubles(bias)) }
    assertGradient("weight", bench.gradient(dense.weight), at: weight) { loss(doubles(x), $0, doubles(bias)) }
    assertGradient("bias", bench.gradient(dense.bias), at: bias) { loss(doubles(x), doubles(weight), $0) }
  }

  func testLayerNorm() {
    let (rows, width) = (5, 24)
    var layout = ParameterLayout()
    let norm = LayerNorm("norm", width: width, layout: &layout)
    let bench = Bench(layout, depth: 1, random: &random)
    let (x, mix) = (random.array(rows * width, scale: 3), random.array(rows * width))
    let (gain, bias) = (bench.value(norm.gain), bench.value(norm.bias))
    var statistics = [Float](repeating: 0, count: rows * 2)

    let y = filled(rows * width) { norm.forward(x, $0, statistics: &statistics, rows: rows, pass: bench.pass) }
    let dx = filled(rows * width) {
      norm.backward(
        input: x, statistics: statistics, outputGradient: mix, inputGradient: $0, rows: rows, pass: bench.pass)
    }

    func loss(_ x: [Double], _ gain: [Double], _ bias: [Double]) -> Double {
      mixed(Reference.layerNorm(x, gain, bias), mix)
    }
    assertClose("output", y, Reference.layerNorm(doubles(x), doubles(gain), doubles(bias)))
    assertGradient("input", dx, at: x) { loss($0, doubles(gain), doubles(bias)) }
    assertGradient("gain", bench.gradient(norm.gain), at: gain) { loss(doubles(x), $0, doubles(bias)) }
    assertGradient("bias", bench.gradient(norm.bias), at: bias) { loss(doubles(x), doubles(gain), $0) }
  }

  func testLayerNormAddsToTheResidualGradient() {
    var layout = ParameterLayout()
    let norm = LayerNorm("norm", width: 8, layout: &layout)
    let bench = Bench(layout, depth: 1, random: &random)
    let (x, mix) = (random.array(8), random.array(8))
    var statistics = [Float](repeating: 0, count: 2)
    _ = filled(8) { norm.forward(x, $0, statistics: &statistics, rows: 1, pass: bench.pass) }
    func gradient(startingFrom start: Float) -> [Float] {
      var dx = [Float](repeating: start, count: 8)
      norm.backward(
        input: x, statistics: statistics, outputGradient: mix, inputGradient: &dx, rows: 1, pass: bench.pass)
      return dx
    }
    assertClose("sum", gradient(startingFrom: 2), gradient(startingFrom: 0).map { Double($0) + 2 })
  }

  func testGELU() {
    let (x, mix) = (random.array(64, scale: 6), random.array(64))
    let y = filled(64) { GELU.forward(x, $0, count: 64) }
    let dx = filled(64) { GELU.backward(input: x, outputGradient: mix, inputGradient: $0, count: 64) }
    assertClose("output", y, Reference.gelu(doubles(x)))
    assertGradient("input", dx, at: x) { mixed(Reference.gelu($0), mix) }
  }

  /// A context of 11 makes rows of every length from 1 to 11: with and without whole groups of eight.
  func testAttention() {
    let (width, heads, context, sequences) = (8, 2, 11, 2)
    let attention = Attention(width: width, heads: heads, context: context)
    let bench = Bench(ParameterLayout(), depth: 16, random: &random)
    let rows = sequences * context
    let (x, mix) = (random.array(rows * 3 * width, scale: 2), random.array(rows * width))
    var probabilities = [Float](repeating: 0, count: attention.probabilityCount(sequences: sequences))
    var scratch = [Float](repeating: 0, count: context * context)

    let y = filled(rows * width) {
      attention.forward(x, $0, probabilities: &probabilities, sequences: sequences, pass: bench.pass)
    }
    let dx = filled(rows * 3 * width) {
      attention.backward(
        projections: x, probabilities: probabilities, outputGradient: mix, projectionGradient: $0,
        scratch: &scratch, sequences: sequences, pass: bench.pass)
    }

    func reference(_ x: [Double]) -> [Double] {
      Reference.attention(x, width: width, heads: heads, context: context)
    }
    assertClose("output", y, reference(doubles(x)))
    assertGradient("projections", dx, at: x) { mixed(reference($0), mix) }
  }

  func testSoftmaxLoss() {
    let classes = 11
    let targets: [Int32] = [0, 10, 3, 3, 8]
    let scores = random.array(targets.count * classes, scale: 5)
    var slopes = scores
    let sum = SoftmaxLoss.forwardAndBackward(
      &slopes, targets: targets, classes: classes, scale: 1 / Float(targets.count))
    XCTAssertEqual(
      sum / Double(targets.count), Reference.softmaxLoss(doubles(scores), targets: targets), accuracy: 1e-6)
    assertGradient("scores", slopes, at: scores) { Reference.softmaxLoss($0, targets: targets) }
  }
}

/// Parameters with random values, and what a layer needs to run on them.
final class Bench {
  let pass: Pass
  private let store: ParameterStore

  init(_ layout: ParameterLayout, depth: Int, random: inout TestValues) {
    store = ParameterStore(layout: layout, seed: 1)
    for parameter in store.parameters {
      for i in parameter.value.indices { parameter.value[i] = random.next() }
    }
    pass = Pass(values: store.values, gradients: store.gradients, panel: ColumnPanel(depth: depth))
  }

  func value(_ slot: ParameterSlot) -> [Float] {
    Array(UnsafeBufferPointer(start: pass.value(slot), count: slot.count))
  }

  func gradient(_ slot: ParameterSlot) -> [Float] {
    Array(UnsafeBufferPointer(start: pass.gradient(slot), count: slot.count))
  }
}

func doubles(_ values: [Float]) -> [Double] { values.map(Double.init) }

private func mixed(_ values: [Double], _ mix: [Float]) -> Double {
  zip(values, mix).reduce(0) { $0 + $1.0 * Double($1.1) }
}

private func filled(_ count: Int, _ body: (UnsafeMutablePointer<Float>) -> Void) -> [Float] {
  var values = [Float](repeating: 0, count: count)
  values.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
  return values
}
