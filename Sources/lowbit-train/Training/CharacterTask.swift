import Foundation
import LowBitOptimizers
import ProgramSupport

/// Learning to predict the next character of a text.
///
/// A batch is cut into a fixed number of shards. Each shard runs forward and backward into gradients of its own, and
/// these are summed in shard order: the result has the same bits on one core and on sixteen.
final class CharacterTask: LearningTask {
  let model: CharacterModel
  let parameters: ParameterStore
  let stableEmbedding: StableEmbedding?
  private let text: TrainingText
  private let batch: Int
  private let threads: Int
  private let shards: [Shard]
  private let validation: Windows

  /// The validation windows together hold 16,384 characters at the usual context of 32.
  init(
    _ text: TrainingText, sizes: CharacterModelSizes, embedding: TokenEmbedding = .plain, seed: UInt64,
    batch: Int = 16, shards: Int = 8, validationWindows: Int = 512,
    threads: Int = ProcessInfo.processInfo.activeProcessorCount
  ) {
    precondition(batch % shards == 0 && validationWindows % batch == 0, "shards must have equal shares")
    precondition(embedding == .plain || shards == 1, "a stable embedding looks up one batch at a time")
    self.text = text
    self.batch = batch
    self.threads = threads
    let model = CharacterModel(sizes, embedding: embedding)
    self.model = model
    parameters = ParameterStore(layout: model.layout, seed: seed)
    let layer =
      embedding == .stable
      ? StableEmbedding(vocabularySize: sizes.vocabulary, dimension: sizes.width, seed: seed) : nil
    layer?.threadCount = threads
    stableEmbedding = layer
    self.shards = (0..<shards).map { _ in Shard(model, layer, sequences: batch / shards) }
    validation = evenlySpacedWindows(validationWindows, from: text.validation, context: sizes.context)
  }

  var tokensPerStep: Int { batch * model.sizes.context }

  func lossAndGradient(at position: inout DataPosition) -> Double {
    let windows = position.draw(batch, from: text.training, context: model.sizes.context)
    let scale = 1 / Float(tokensPerStep)
    stableEmbedding?.zeroGradients()
    inParallel(shards.count, threads: threads) { index in
      shards[index].lossAndGradient(model, parameters.values, share(index, of: windows), scale: scale)
    }
    sumGradients()
    return shards.reduce(0) { $0 + $1.loss } / Double(tokensPerStep)
  }

  func validationLoss() -> Double {
    var sum = 0.0
    for first in stride(from: 0, to: validation.inputs.count, by: tokensPerStep) {
      let part = first..<first + tokensPerStep
      let windows = Windows(inputs: Array(validation.inputs[part]), targets: Array(validation.targets[part]))
      inParallel(shards.count, threads: threads) { index in
        shards[index].lossOnly(model, parameters.values, share(index, of: windows))
      }
      sum += shards.reduce(0) { $0 + $1.loss }
    }
    return sum / Double(validation.inputs.count)
  }

  private func share(_ index: Int, of windows: Windows) -> Windows {
    let length = tokensPerStep / shards.count
    let part = index * length..<(index + 1) * length
    return Windows(inputs: Array(windows.inputs[part]), targets: Array(windows.targets[part]))
  }

  private func sumGradients() {
    forEachChunk(of: parameters.layout.capacity, size: 8192, threads: threads) { range in
      let target = parameters.gradients + range.lowerBound
      target.update(from: shards[0].gradients + range.lowerBound, count: range.count)
      for shard in shards.dropFirst() { add(shard.gradients + range.lowerBound, to: target, count: range.count) }
    }
  }
}

/// One worker's share of a batch: its activations and its own gradients.
private final class Shard {
  let gradients: UnsafeMutablePointer<Float>
  private(set) var loss = 0.0
  private let stableEmbedding: StableEmbedding?
  private let memory: CharacterModelMemory
  private let capacity: Int

  init(_ model: CharacterModel, _ stableEmbedding: StableEmbedding?, sequences: Int) {
    self.stableEmbedding = stableEmbedding
    memory = CharacterModelMemory(model, sequences: sequences)
    capacity = model.layout.capacity
    gradients = .allocate(capacity: capacity)
    gradients.initialize(repeating: 0, count: capacity)
  }

  deinit { gradients.deallocate() }

  func lossAndGradient(
    _ model: CharacterModel, _ values: UnsafePointer<Float>, _ windows: Windows, scale: Float
  ) {
    gradients.update(repeating: 0, count: capacity)
    lookUp(windows)
    loss = model.lossAndGradient(
      windows.inputs, targets: windows.targets, scale: scale, memory, pass: pass(values))
    stableEmbedding?.backward(
      UnsafeBufferPointer(start: memory.stream, count: windows.inputs.count * model.sizes.width))
  }

  func lossOnly(_ model: CharacterModel, _ values: UnsafePointer<Float>, _ windows: Windows) {
    lookUp(windows)
    loss = model.loss(windows.inputs, targets: windows.targets, memory, pass: pass(values))
  }

  private func lookUp(_ windows: Windows) {
    stableEmbedding?.lookUp(windows.inputs, into: memory.streams[0])
  }

  private func pass(_ values: UnsafePointer<Float>) -> Pass {
    Pass(values: values, gradients: gradients, panel: memory.panel)
  }
}
