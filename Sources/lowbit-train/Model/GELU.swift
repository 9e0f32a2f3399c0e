/// The Gaussian error linear unit in its usual approximate form, `x · sigmoid(2u)` with
/// `u = √(2/π) · (x + 0.044715 x³)`, which equals `x/2 · (1 + tanh u)`.
///
/// Hendrycks and Gimpel, "Gaussian error linear units", 2016. Counts must be multiples of 8.
enum GELU {
  private static let twiceRoot: Float = 1.595_769_1
  private static let cubic: Float = 0.044_715

  static func forward(_ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>, count: Int) {
    precondition(count % 8 == 0, "GELU takes multiples of 8 values")
    for i in stride(from: 0, to: count, by: 8) {
      let x = input.lanes(i)
      output.setLanes(i, x * gate(x))
    }
  }

  static func backward(
    input: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>,
    inputGradient: UnsafeMutablePointer<Float>, count: Int
  ) {
    precondition(count % 8 == 0, "GELU takes multiples of 8 values")
    for i in stride(from: 0, to: count, by: 8) {
      let x = input.lanes(i)
      let gate = gate(x)
      let inner = (x * x * (3 * cubic) + 1) * twiceRoot
      let slope = gate + x * gate * (1 - gate) * inner
      inputGradient.setLanes(i, outputGradient.lanes(i) * slope)
    }
  }

  @inline(__always)
  private static func gate(_ x: Lanes) -> Lanes {
    let twice = (x + x * x * x * cubic) * twiceRoot
    return 1 / (1 + exponential(-twice))
  }
}
