/// A fully connected layer: `output = input · weight + bias`, one row a token.
struct Dense {
  let weight: ParameterSlot
  let bias: ParameterSlot
  let inputs: Int
  let outputs: Int

  init(_ name: String, inputs: Int, outputs: Int, deviation: Double, layout: inout ParameterLayout) {
    self.inputs = inputs
    self.outputs = outputs
    weight = layout.add("\(name).weight", [inputs, outputs], .normal(deviation: deviation))
    bias = layout.add("\(name).bias", [outputs], .zeros)
  }

  func forward(_ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>, rows: Int, pass: Pass) {
    let bias = pass.value(bias)
    for row in 0..<rows { (output + row * outputs).update(from: bias, count: outputs) }
    multiply(
      Matrix(input, rows: rows, columns: inputs), Matrix(pass.value(weight), rows: inputs, columns: outputs),
      into: output, adding: true, panel: pass.panel)
  }

  /// Adds to the gradients of weight and bias and overwrites `inputGradient`.
  func backward(
    input: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>,
    inputGradient: UnsafeMutablePointer<Float>, rows: Int, pass: Pass
  ) {
    let slope = Matrix(outputGradient, rows: rows, columns: outputs)
    multiply(
      Matrix(input, rows: rows, columns: inputs).transposed, slope,
      into: pass.gradient(weight), adding: true, panel: pass.panel)
    let biasGradient = pass.gradient(bias)
    for row in 0..<rows { add(outputGradient + row * outputs, to: biasGradient, count: outputs) }
    multiply(
      slope, Matrix(pass.value(weight), rows: inputs, columns: outputs).transposed,
      into: inputGradient, panel: pass.panel)
  }
}
