/// Which layer looks the tokens of a model up.
enum TokenEmbedding: String, Codable, Sendable {
  /// A plain table: to the optimizer a tensor like any other.
  case plain
  /// The package's `StableEmbedding`, whose table lives outside the model's own parameters.
  case stable
}

/// A row of numbers for each symbol.
struct SymbolTable {
  let rows: ParameterSlot
  let width: Int

  init(vocabulary: Int, width: Int, deviation: Double, layout: inout ParameterLayout) {
    self.width = width
    rows = layout.add("embedding.symbols", [vocabulary, width], .normal(deviation: deviation))
  }

  func forward(_ input: [Int32], _ output: UnsafeMutablePointer<Float>, pass: Pass) {
    for (row, symbol) in input.enumerated() {
      (output + row * width).update(from: pass.value(rows) + Int(symbol) * width, count: width)
    }
  }

  func backward(input: [Int32], outputGradient: UnsafePointer<Float>, pass: Pass) {
    for (row, symbol) in input.enumerated() {
      add(outputGradient + row * width, to: pass.gradient(rows) + Int(symbol) * width, count: width)
    }
  }
}

/// Turns symbols into rows of numbers: a row for the symbol plus a row for its position in the sequence.
struct Embedding {
  /// Nil where a layer outside the model looks the symbols up.
  let symbols: SymbolTable?
  let positions: ParameterSlot
  let width: Int
  let context: Int

  init(
    _ embedding: TokenEmbedding, vocabulary: Int, context: Int, width: Int, deviation: Double,
    layout: inout ParameterLayout
  ) {
    self.width = width
    self.context = context
    symbols =
      embedding == .plain
      ? SymbolTable(vocabulary: vocabulary, width: width, deviation: deviation, layout: &layout) : nil
    // As large as the symbols' rows, which a stable embedding normalises: smaller ones would hardly be heard.
    let positionDeviation = embedding == .plain ? deviation : 1
    positions = layout.add("embedding.positions", [context, width], .normal(deviation: positionDeviation))
  }

  /// `input`: whole sequences, one after the other. Without a table of its own, `output` holds the symbols' rows already.
  func forward(_ input: [Int32], _ output: UnsafeMutablePointer<Float>, pass: Pass) {
    symbols?.forward(input, output, pass: pass)
    for row in input.indices {
      add(pass.value(positions) + (row % context) * width, to: output + row * width, count: width)
    }
  }

  func backward(input: [Int32], outputGradient: UnsafePointer<Float>, pass: Pass) {
    symbols?.backward(input: input, outputGradient: outputGradient, pass: pass)
    for row in input.indices {
      add(outputGradient + row * width, to: pass.gradient(positions) + (row % context) * width, count: width)
    }
  }
}
