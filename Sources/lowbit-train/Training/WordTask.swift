import LowBitOptimizers

/// Learning to predict the class of the next word in text with Zipf's law.
final class WordTask: LearningTask {
  let parameters: ParameterStore
  let stableEmbedding: StableEmbedding?
  private let model: WordModel
  private let corpus: ZipfCorpus
  private let memory: PerceptronMemory
  private let validation: Windows

  /// - Parameter validationWindows: a multiple of `batch`.
  init(
    _ corpus: ZipfCorpus, sizes: WordModelSizes, embedding: TokenEmbedding, seed: UInt64, batch: Int = 256,
    validationWindows: Int = 16_384
  ) {
    precondition(validationWindows % batch == 0, "batches must be whole")
    self.corpus = corpus
    model = WordModel(sizes, embedding: embedding)
    parameters = ParameterStore(layout: model.layout, seed: seed)
    stableEmbedding =
      embedding == .stable
      ? StableEmbedding(vocabularySize: sizes.vocabulary, dimension: sizes.width, seed: seed, name: "words") : nil
    stableEmbedding?.threadCount = 1
    memory = PerceptronMemory(model.perceptron, rows: batch)
    validation = evenlySpacedWindows(validationWindows, from: corpus.validation, context: sizes.context)
  }

  var tokensPerStep: Int { memory.rows }

  func lossAndGradient(at position: inout DataPosition) -> Double {
    let windows = position.draw(memory.rows, from: corpus.training, context: model.sizes.context)
    stableEmbedding?.zeroGradients()
    parameters.gradients.update(repeating: 0, count: parameters.layout.capacity)
    let loss = model.lossAndGradient(
      windows.inputs, targets: classesToPredict(windows.targets), scale: 1 / Float(memory.rows), stableEmbedding,
      memory, pass: pass)
    return loss / Double(memory.rows)
  }

  func validationLoss() -> Double {
    let targets = classesToPredict(validation.targets)
    let context = model.sizes.context
    var sum = 0.0
    for first in stride(from: 0, to: targets.count, by: memory.rows) {
      let end = first + memory.rows
      sum += model.loss(
        Array(validation.inputs[first * context..<end * context]), targets: Array(targets[first..<end]),
        stableEmbedding, memory, pass: pass)
    }
    return sum / Double(targets.count)
  }

  /// Only the word after the whole context is asked for.
  private func classesToPredict(_ targets: [Int32]) -> [Int32] {
    let context = model.sizes.context
    return stride(from: context - 1, to: targets.count, by: context).map { corpus.classes[Int(targets[$0])] }
  }

  private var pass: Pass {
    Pass(values: parameters.values, gradients: parameters.gradients, panel: memory.panel)
  }
}
