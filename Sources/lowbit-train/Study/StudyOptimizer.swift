import LowBitOptimizers

/// What moves a task's parameters in a study: an optimizer of the package, or the simulation of one.
protocol StudyOptimizer: AnyObject {
  var learningRate: Float { get set }
  var stateByteCount: Int { get }
  func move(_ tensors: [TensorUpdate])
  func move(_ embedding: StableEmbedding)
}

extension LowBitOptimizer: StudyOptimizer {
  func move(_ tensors: [TensorUpdate]) { update(tensors) }
  func move(_ embedding: StableEmbedding) { embedding.update(with: self) }
}
