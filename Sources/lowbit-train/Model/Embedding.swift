/// Turns symbols into rows of numbers: a row for the symbol plus a row for its position in the sequence.
struct Embedding {
  let symbols: ParameterSlot
  let positions: ParameterSlot
  let width: Int
  let context: Int

  init(vocabulary: Int, context: Int, width: Int, deviation: Double, layout: inout ParameterLayout) {
    self.width = width
    self.context = context
    symbols = layout.add("embedding.symbols", [vocabulary, width], .normal(deviation: deviation))
    positions = layout.add("embedding.positions", [context, width], .normal(deviation: deviation))
  }

  /// `input`: whole sequences, one after the other.
  func forward(_ input: [Int32], _ output: UnsafeMutablePointer<Float>, pass: Pass) {
    for (row, symbol) in input.enumerated() {
      let target = output + row * width
      target.update(from: pass.value(symbols) + Int(symbol) * width, count: width)
      add(pass.value(positions) + (row % context) * width, to: target, count: width)
    }
  }

  func backward(input: [Int32], outputGradient: UnsafePointer<Float>, pass: Pass) {
    for (row, symbol) in input.enumerated() {
      let slope = outputGradient + row * width
      add(slope, to: pass.gradient(symbols) + Int(symbol) * width, count: width)
      add(slope, to: pass.gradient(positions) + (row % context) * width, count: width)
    }
  }
}
