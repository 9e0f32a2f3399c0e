import LowBitOptimizers

/// The sizes of a word model.
struct WordModelSizes: Equatable {
  var vocabulary = 20_000
  var context = 4
  var width = 32
  var hidden = 64
  var classes = 64
}

/// Predicts the class of the next word from the words before it: their rows side by side, then a perceptron.
///
/// Bengio et al., "A neural probabilistic language model", 2003, with the first factor of a class-based output (Goodman,
/// "Classes for fast maximum entropy training", 2001): nearly all parameters are in the table of words.
struct WordModel {
  let sizes: WordModelSizes
  /// Nil where a layer outside the model looks the words up.
  let words: SymbolTable?
  let perceptron: Perceptron

  init(_ sizes: WordModelSizes, embedding: TokenEmbedding) {
    self.sizes = sizes
    var layout = ParameterLayout()
    words =
      embedding == .plain
      ? SymbolTable(vocabulary: sizes.vocabulary, width: sizes.width, deviation: 0.1, layout: &layout) : nil
    perceptron = Perceptron([sizes.context * sizes.width, sizes.hidden, sizes.classes], after: layout)
  }

  var layout: ParameterLayout { perceptron.layout }

  /// The sum of the losses over all targets, with no gradient. `input` holds `context` words for each target.
  func loss(_ input: [Int32], targets: [Int32], _ stable: StableEmbedding?, _ memory: PerceptronMemory, pass: Pass)
    -> Double
  {
    lookUp(input, stable, memory, pass: pass)
    return perceptron.loss(targets: targets, memory, pass: pass)
  }

  /// The sum of the losses over all targets; its gradient times `scale` is added to those of the parameters.
  func lossAndGradient(
    _ input: [Int32], targets: [Int32], scale: Float, _ stable: StableEmbedding?, _ memory: PerceptronMemory,
    pass: Pass
  ) -> Double {
    lookUp(input, stable, memory, pass: pass)
    let loss = perceptron.lossAndGradient(targets: targets, scale: scale, memory, pass: pass)
    words?.backward(input: input, outputGradient: memory.inputGradient, pass: pass)
    stable?.backward(UnsafeBufferPointer(start: memory.inputGradient, count: input.count * sizes.width))
    return loss
  }

  private func lookUp(_ input: [Int32], _ stable: StableEmbedding?, _ memory: PerceptronMemory, pass: Pass) {
    words?.forward(input, memory.input, pass: pass)
    stable?.lookUp(input, into: memory.input)
  }
}
