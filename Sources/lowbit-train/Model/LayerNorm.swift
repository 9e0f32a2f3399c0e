/// Layer normalisation: each row to mean 0 and variance 1, then a gain and a bias for each column.
///
/// Ba, Kiros and Hinton, "Layer normalization", 2016. The width must be a multiple of 8.
struct LayerNorm {
  let gain: ParameterSlot
  let bias: ParameterSlot
  let width: Int
  static let epsilon: Float = 1e-5

  init(_ name: String, width: Int, layout: inout ParameterLayout) {
    precondition(width % 8 == 0, "the width of a layer norm must be a multiple of 8")
    self.width = width
    gain = layout.add("\(name).gain", [width], .ones)
    bias = layout.add("\(name).bias", [width], .zeros)
  }

  /// `statistics` receives mean and 1 / deviation of each row, which the backward pass needs.
  func forward(
    _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>,
    statistics: UnsafeMutablePointer<Float>, rows: Int, pass: Pass
  ) {
    let (gain, bias) = (pass.value(gain), pass.value(bias))
    for row in 0..<rows {
      let (x, y) = (input + row * width, output + row * width)
      var sum = Lanes()
      for i in stride(from: 0, to: width, by: 8) { sum += x.lanes(i) }
      let mean = sum.total / Float(width)
      var squares = Lanes()
      for i in stride(from: 0, to: width, by: 8) {
        let centred = x.lanes(i) - mean
        squares += centred * centred
      }
      let scale = 1 / (squares.total / Float(width) + Self.epsilon).squareRoot()
      for i in stride(from: 0, to: width, by: 8) {
        y.setLanes(i, (x.lanes(i) - mean) * scale * gain.lanes(i) + bias.lanes(i))
      }
      statistics[2 * row] = mean
      statistics[2 * row + 1] = scale
    }
  }

  /// Adds to the gradients of gain and bias, and *adds* to `inputGradient`: it is the residual stream's.
  func backward(
    input: UnsafePointer<Float>, statistics: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>,
    inputGradient: UnsafeMutablePointer<Float>, rows: Int, pass: Pass
  ) {
    let gain = pass.value(gain)
    let (gainGradient, biasGradient) = (pass.gradient(self.gain), pass.gradient(bias))
    for row in 0..<rows {
      let (x, dy, dx) = (input + row * width, outputGradient + row * width, inputGradient + row * width)
      let (mean, scale) = (statistics[2 * row], statistics[2 * row + 1])
      var slopes = Lanes()
      var products = Lanes()
      for i in stride(from: 0, to: width, by: 8) {
        let normal = (x.lanes(i) - mean) * scale
        let slope = dy.lanes(i)
        gainGradient.setLanes(i, gainGradient.lanes(i) + slope * normal)
        biasGradient.setLanes(i, biasGradient.lanes(i) + slope)
        slopes += slope * gain.lanes(i)
        products += slope * gain.lanes(i) * normal
      }
      let meanSlope = slopes.total / Float(width)
      let meanProduct = products.total / Float(width)
      for i in stride(from: 0, to: width, by: 8) {
        let normal = (x.lanes(i) - mean) * scale
        let change = dy.lanes(i) * gain.lanes(i) - meanSlope - normal * meanProduct
        dx.setLanes(i, dx.lanes(i) + change * scale)
      }
    }
  }
}
