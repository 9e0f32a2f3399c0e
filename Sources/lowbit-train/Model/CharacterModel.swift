/// The sizes of a character model.
struct CharacterModelSizes: Equatable {
  var vocabulary: Int
  var context = 32
  var width = 64
  var heads = 4
  var blocks = 2
}

/// A small GPT: it reads `context` characters and predicts, at each of them, the one that follows.
///
/// The model itself is only a list of layers and where their parameters are; values and activations live elsewhere,
/// so many workers can share it.
struct CharacterModel {
  let sizes: CharacterModelSizes
  let layout: ParameterLayout
  let embedding: Embedding
  let blocks: [TransformerBlock]
  let finalNorm: LayerNorm
  let output: Dense

  init(_ sizes: CharacterModelSizes, embedding tokens: TokenEmbedding = .plain) {
    self.sizes = sizes
    var layout = ParameterLayout()
    // Large for such a model, but at this width it learns faster than with the 0.02 of large ones.
    let deviation = 0.1
    embedding = Embedding(
      tokens, vocabulary: sizes.vocabulary, context: sizes.context, width: sizes.width, deviation: deviation,
      layout: &layout)
    blocks = (0..<sizes.blocks).map { index in
      TransformerBlock(
        "block\(index)", width: sizes.width, heads: sizes.heads, context: sizes.context, deviation: deviation,
        residualDeviation: deviation / Double(2 * sizes.blocks).squareRoot(), layout: &layout)
    }
    finalNorm = LayerNorm("norm", width: sizes.width, layout: &layout)
    output = Dense(
      "output", inputs: sizes.width, outputs: sizes.vocabulary, deviation: deviation, layout: &layout)
    self.layout = layout
  }

  /// Runs forward and leaves the scores of every next symbol in `memory.scores`.
  ///
  /// With a stable embedding, `memory.streams[0]` holds the output of that layer already, and after the backward pass
  /// `memory.stream` holds the loss's gradient by it.
  func forward(_ input: [Int32], _ memory: CharacterModelMemory, pass: Pass) {
    let sequences = input.count / sizes.context
    precondition(input.count == sequences * sizes.context && sequences <= memory.sequences)
    embedding.forward(input, memory.streams[0], pass: pass)
    for (index, block) in blocks.enumerated() {
      block.forward(
        memory.streams[index], memory.streams[index + 1], memory.kept[index], sequences: sequences, pass: pass)
    }
    finalNorm.forward(
      memory.streams[blocks.count], memory.normal, statistics: memory.statistics, rows: input.count, pass: pass)
    output.forward(memory.normal, memory.scores, rows: input.count, pass: pass)
  }

  /// The sum of the losses over all positions, with no gradient.
  func loss(_ input: [Int32], targets: [Int32], _ memory: CharacterModelMemory, pass: Pass) -> Double {
    forward(input, memory, pass: pass)
    return SoftmaxLoss.forwardAndBackward(memory.scores, targets: targets, classes: sizes.vocabulary, scale: 0)
  }

  /// The sum of the losses over all positions; its gradient times `scale` is added to the worker's gradients.
  func lossAndGradient(
    _ input: [Int32], targets: [Int32], scale: Float, _ memory: CharacterModelMemory, pass: Pass
  ) -> Double {
    forward(input, memory, pass: pass)
    let loss = SoftmaxLoss.forwardAndBackward(
      memory.scores, targets: targets, classes: sizes.vocabulary, scale: scale)
    let rows = input.count
    output.backward(
      input: memory.normal, outputGradient: memory.scores, inputGradient: memory.slopes.normal, rows: rows, pass: pass)
    memory.stream.update(repeating: 0, count: rows * sizes.width)
    finalNorm.backward(
      input: memory.streams[blocks.count], statistics: memory.statistics, outputGradient: memory.slopes.normal,
      inputGradient: memory.stream, rows: rows, pass: pass)
    for (index, block) in blocks.enumerated().reversed() {
      block.backward(
        input: memory.streams[index], stream: memory.stream, memory.kept[index], memory.slopes,
        sequences: rows / sizes.context, pass: pass)
    }
    embedding.backward(input: input, outputGradient: memory.stream, pass: pass)
    return loss
  }
}

/// The activations of one worker: everything that depends on its share of the batch.
final class CharacterModelMemory {
  let sequences: Int
  let panel: ColumnPanel
  /// The residual stream before the first block and after each.
  let streams: [UnsafeMutablePointer<Float>]
  let kept: [BlockActivations]
  let slopes: BlockGradients
  let normal, statistics, scores, stream: UnsafeMutablePointer<Float>
  private let memory = ActivationMemory()

  init(_ model: CharacterModel, sequences: Int) {
    let sizes = model.sizes
    let (memory, rows) = (memory, sequences * sizes.context)
    self.sequences = sequences
    panel = ColumnPanel(depth: max(rows, 4 * sizes.width, sizes.vocabulary))
    streams = (0...sizes.blocks).map { _ in memory.take(rows * sizes.width) }
    kept = model.blocks.map { BlockActivations($0, sequences: sequences, memory: memory) }
    slopes = BlockGradients(width: sizes.width, context: sizes.context, sequences: sequences, memory: memory)
    normal = memory.take(rows * sizes.width)
    statistics = memory.take(rows * 2)
    scores = memory.take(rows * sizes.vocabulary)
    stream = memory.take(rows * sizes.width)
  }
}
