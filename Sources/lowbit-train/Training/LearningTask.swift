import LowBitOptimizers

/// Something to learn: a model, the data it learns from, and a way to tell how well it does.
///
/// The training loop knows nothing else, so another model or other data is one more type of this kind.
protocol LearningTask: AnyObject {
  /// What the optimizer moves. `lossAndGradient` leaves the gradients here.
  var parameters: ParameterStore { get }
  /// The layer that looks tokens up, where it is not part of `parameters`: the optimizer moves it too.
  var stableEmbedding: StableEmbedding? { get }
  /// Predictions made in one step, for the speed display.
  var tokensPerStep: Int { get }
  /// Draws the next batch, and returns its mean loss.
  func lossAndGradient(at position: inout DataPosition) -> Double
  /// The mean loss over data that is never trained on.
  func validationLoss() -> Double
}

/// A task whose answers are right or wrong.
protocol ClassificationTask: LearningTask {
  /// The share of right answers on data that is never trained on.
  func validationAccuracy() -> Double
}

extension LearningTask {
  /// Most models keep all their parameters in their own store.
  var stableEmbedding: StableEmbedding? { nil }

  /// The number of trained values.
  var parameterCount: Int {
    let layer = stableEmbedding.map { $0.weight.count + $0.gain.count + $0.bias.count }
    return parameters.count + (layer ?? 0)
  }

  /// Shortens the whole gradient to the length `limit` when it is longer, and returns the length it had.
  ///
  /// A single bad batch would otherwise throw plain momentum off its course (Pascanu et al., 2013).
  @discardableResult
  func clipGradient(to limit: Double) -> Double {
    let length = (parameters.gradientSquareSum + (stableEmbedding?.gradientSquareSum ?? 0)).squareRoot()
    if length > limit {
      let factor = Float(limit / length)
      parameters.scaleGradients(by: factor)
      stableEmbedding?.scaleGradients(by: factor)
    }
    return length
  }
}

extension StableEmbedding {
  /// Writes the rows of `symbols`, all of which a model's own vocabulary has numbered, to `output`.
  func lookUp(_ symbols: [Int32], into output: UnsafeMutablePointer<Float>) {
    let buffer = UnsafeMutableBufferPointer(start: output, count: symbols.count * dimension)
    try! forward(symbols.map(Int.init), into: buffer)
  }
}
