/// Fully connected layers with GELU between them, which score classes.
struct Perceptron {
  let layout: ParameterLayout
  let layers: [Dense]

  /// - Parameters:
  ///   - widths: inputs, hidden layers (multiples of 8), classes.
  ///   - layout: the parameters of what comes before.
  init(_ widths: [Int], after layout: ParameterLayout = ParameterLayout()) {
    var layout = layout
    layers = widths.indices.dropLast().map { index in
      Dense(
        "layer\(index)", inputs: widths[index], outputs: widths[index + 1],
        deviation: 1 / Double(widths[index]).squareRoot(), layout: &layout)
    }
    self.layout = layout
  }

  var classes: Int { layers[layers.count - 1].outputs }

  /// From `memory.input` to `memory.scores`.
  func forward(_ memory: PerceptronMemory, rows: Int, pass: Pass) {
    for (index, layer) in layers.enumerated() {
      if index > 0 {
        GELU.forward(memory.sums[index - 1], memory.inputs[index], count: rows * layer.inputs)
      }
      layer.forward(memory.inputs[index], memory.sums[index], rows: rows, pass: pass)
    }
  }

  /// The sum of the losses of all rows, with no gradient; `memory.scores` become probabilities, 1 less at the targets.
  func loss(targets: [Int32], _ memory: PerceptronMemory, pass: Pass) -> Double {
    forward(memory, rows: targets.count, pass: pass)
    return SoftmaxLoss.forwardAndBackward(memory.scores, targets: targets, classes: classes, scale: 0)
  }

  /// The sum of the losses of all rows; its gradient times `scale` is added to the worker's gradients, and that by the
  /// input is left in `memory.inputGradient`.
  func lossAndGradient(targets: [Int32], scale: Float, _ memory: PerceptronMemory, pass: Pass) -> Double {
    let rows = targets.count
    forward(memory, rows: rows, pass: pass)
    let loss = SoftmaxLoss.forwardAndBackward(memory.scores, targets: targets, classes: classes, scale: scale)
    for (index, layer) in layers.enumerated().reversed() {
      // The sums of a layer are needed no more once their gradient is known: it takes their place.
      layer.backward(
        input: memory.inputs[index], outputGradient: memory.sums[index], inputGradient: memory.slopes[index],
        rows: rows, pass: pass)
      if index > 0 {
        GELU.backward(
          input: memory.sums[index - 1], outputGradient: memory.slopes[index],
          inputGradient: memory.sums[index - 1], count: rows * layer.inputs)
      }
    }
    return loss
  }
}

/// The activations of one worker.
final class PerceptronMemory {
  let rows: Int
  let panel: ColumnPanel
  /// What each layer reads and, before GELU, writes; and the gradients of what it reads.
  let inputs, sums, slopes: [UnsafeMutablePointer<Float>]
  private let memory = ActivationMemory()

  var input: UnsafeMutablePointer<Float> { inputs[0] }
  var inputGradient: UnsafeMutablePointer<Float> { slopes[0] }
  var scores: UnsafeMutablePointer<Float> { sums[sums.count - 1] }

  init(_ model: Perceptron, rows: Int) {
    let memory = memory
    self.rows = rows
    panel = ColumnPanel(depth: model.layers.reduce(rows) { max($0, $1.inputs, $1.outputs) })
    inputs = model.layers.map { memory.take(rows * $0.inputs) }
    sums = model.layers.map { memory.take(rows * $0.outputs) }
    slopes = model.layers.map { memory.take(rows * $0.inputs) }
  }
}
