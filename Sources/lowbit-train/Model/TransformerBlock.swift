/// One block of the model: attention and a two-layer perceptron, each behind a layer norm and added to its input.
struct TransformerBlock {
  let firstNorm: LayerNorm
  let projections: Dense
  let attention: Attention
  let mixing: Dense
  let secondNorm: LayerNorm
  let expansion: Dense
  let contraction: Dense
  let width: Int

  /// `residualDeviation`: the two layers that add to the residual stream start smaller, so that depth does not
  /// make the stream grow (Radford et al., GPT-2, 2019).
  init(
    _ name: String, width: Int, heads: Int, context: Int, deviation: Double, residualDeviation: Double,
    layout: inout ParameterLayout
  ) {
    self.width = width
    firstNorm = LayerNorm("\(name).norm1", width: width, layout: &layout)
    projections = Dense(
      "\(name).attention.projections", inputs: width, outputs: 3 * width, deviation: deviation, layout: &layout)
    attention = Attention(width: width, heads: heads, context: context)
    mixing = Dense(
      "\(name).attention.mixing", inputs: width, outputs: width, deviation: residualDeviation, layout: &layout)
    secondNorm = LayerNorm("\(name).norm2", width: width, layout: &layout)
    expansion = Dense("\(name).expansion", inputs: width, outputs: 4 * width, deviation: deviation, layout: &layout)
    contraction = Dense(
      "\(name).contraction", inputs: 4 * width, outputs: width, deviation: residualDeviation, layout: &layout)
  }

  func forward(
    _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>, _ kept: BlockActivations,
    sequences: Int, pass: Pass
  ) {
    let rows = sequences * attention.context
    firstNorm.forward(input, kept.normal1, statistics: kept.statistics1, rows: rows, pass: pass)
    projections.forward(kept.normal1, kept.projections, rows: rows, pass: pass)
    attention.forward(
      kept.projections, kept.mixed, probabilities: kept.probabilities, sequences: sequences, pass: pass)
    mixing.forward(kept.mixed, kept.middle, rows: rows, pass: pass)
    add(input, to: kept.middle, count: rows * width)

    secondNorm.forward(kept.middle, kept.normal2, statistics: kept.statistics2, rows: rows, pass: pass)
    expansion.forward(kept.normal2, kept.expanded, rows: rows, pass: pass)
    GELU.forward(kept.expanded, kept.activated, count: rows * 4 * width)
    contraction.forward(kept.activated, output, rows: rows, pass: pass)
    add(kept.middle, to: output, count: rows * width)
  }

  /// `stream` holds the gradient of the output and becomes that of the input: both sums pass it on unchanged,
  /// and the layer norms add their part.
  func backward(
    input: UnsafePointer<Float>, stream: UnsafeMutablePointer<Float>, _ kept: BlockActivations,
    _ slopes: BlockGradients, sequences: Int, pass: Pass
  ) {
    let rows = sequences * attention.context
    contraction.backward(
      input: kept.activated, outputGradient: stream, inputGradient: slopes.activated, rows: rows, pass: pass)
    GELU.backward(
      input: kept.expanded, outputGradient: slopes.activated, inputGradient: slopes.activated, count: rows * 4 * width)
    expansion.backward(
      input: kept.normal2, outputGradient: slopes.activated, inputGradient: slopes.normal, rows: rows, pass: pass)
    secondNorm.backward(
      input: kept.middle, statistics: kept.statistics2, outputGradient: slopes.normal, inputGradient: stream,
      rows: rows, pass: pass)

    mixing.backward(input: kept.mixed, outputGradient: stream, inputGradient: slopes.mixed, rows: rows, pass: pass)
    attention.backward(
      projections: kept.projections, probabilities: kept.probabilities, outputGradient: slopes.mixed,
      projectionGradient: slopes.projections, scratch: slopes.scores, sequences: sequences, pass: pass)
    projections.backward(
      input: kept.normal1, outputGradient: slopes.projections, inputGradient: slopes.normal, rows: rows, pass: pass)
    firstNorm.backward(
      input: input, statistics: kept.statistics1, outputGradient: slopes.normal, inputGradient: stream,
      rows: rows, pass: pass)
  }
}

/// What the forward pass of one block leaves for its backward pass.
struct BlockActivations {
  let normal1, statistics1, projections, probabilities, mixed, middle: UnsafeMutablePointer<Float>
  let normal2, statistics2, expanded, activated: UnsafeMutablePointer<Float>

  init(_ block: TransformerBlock, sequences: Int, memory: ActivationMemory) {
    let rows = sequences * block.attention.context
    normal1 = memory.take(rows * block.width)
    statistics1 = memory.take(rows * 2)
    projections = memory.take(rows * 3 * block.width)
    probabilities = memory.take(block.attention.probabilityCount(sequences: sequences))
    mixed = memory.take(rows * block.width)
    middle = memory.take(rows * block.width)
    normal2 = memory.take(rows * block.width)
    statistics2 = memory.take(rows * 2)
    expanded = memory.take(rows * 4 * block.width)
    activated = memory.take(rows * 4 * block.width)
  }
}

/// Working memory of the backward pass, shared by all blocks of a model.
struct BlockGradients {
  let activated, normal, mixed, projections, scores: UnsafeMutablePointer<Float>

  init(width: Int, context: Int, sequences: Int, memory: ActivationMemory) {
    let rows = sequences * context
    activated = memory.take(rows * 4 * width)
    normal = memory.take(rows * width)
    mixed = memory.take(rows * width)
    projections = memory.take(rows * 3 * width)
    scores = memory.take(context * context)
  }
}
