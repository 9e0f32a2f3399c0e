/// Layer normalization of one row: y = (x − mean) / √(variance + ε) · gain + bias, with the biased variance.
///
/// Sums are taken in Double, in an order that depends on the row's length alone.
struct LayerNormalization {
  static let epsilon = 1e-5

  /// What the backward pass needs of a row beside its values.
  struct Statistics {
    var mean: Double
    /// 1 / √(variance + ε).
    var inverseDeviation: Double
  }

  let count: Int
  let gain: UnsafePointer<Float>
  let bias: UnsafePointer<Float>

  func statistics(_ x: UnsafePointer<Float>) -> Statistics {
    let mean = orderedSum(count) { Double(x[$0]) } / Double(count)
    let variance =
      orderedSum(count) {
        let deviation = Double(x[$0]) - mean
        return deviation * deviation
      } / Double(count)
    return Statistics(mean: mean, inverseDeviation: 1 / (variance + Self.epsilon).squareRoot())
  }

  func forward(_ x: UnsafePointer<Float>, _ statistics: Statistics, into y: UnsafeMutablePointer<Float>) {
    for i in 0..<count {
      let normalised = (Double(x[i]) - statistics.mean) * statistics.inverseDeviation
      y[i] = Float(normalised * Double(gain[i]) + Double(bias[i]))
    }
  }

  /// Adds the loss's derivative by the row, given the derivative `g` by the output, which is overwritten.
  func addBackward(
    _ x: UnsafePointer<Float>, _ statistics: Statistics, _ g: UnsafeMutablePointer<Double>,
    to gradient: UnsafeMutablePointer<Float>
  ) {
    let mean = statistics.mean
    let inverse = statistics.inverseDeviation
    for i in 0..<count { g[i] *= Double(gain[i]) }
    let shift = orderedSum(count) { g[$0] } / Double(count)
    let scale = orderedSum(count) { g[$0] * ((Double(x[$0]) - mean) * inverse) } / Double(count)
    for i in 0..<count {
      let normalised = (Double(x[i]) - mean) * inverse
      gradient[i] += Float(inverse * (g[i] - shift - normalised * scale))
    }
  }
}

/// The sum of `count` terms, over four running sums that the CPU can work on at once.
@inline(__always)
private func orderedSum(_ count: Int, _ term: (Int) -> Double) -> Double {
  var a = 0.0
  var b = 0.0
  var c = 0.0
  var d = 0.0
  var i = 0
  while i + 4 <= count {
    a += term(i)
    b += term(i + 1)
    c += term(i + 2)
    d += term(i + 3)
    i += 4
  }
  while i < count {
    a += term(i)
    i += 1
  }
  return (a + b) + (c + d)
}
