/// Something to learn: a model, the data it learns from, and a way to tell how well it does.
///
/// The training loop knows nothing else, so another model or other data is one more type of this kind.
protocol LearningTask: AnyObject {
  /// What the optimizer moves. `lossAndGradient` leaves the gradients here.
  var parameters: ParameterStore { get }
  /// Predictions made in one step, for the speed display.
  var tokensPerStep: Int { get }
  /// Draws the next batch, and returns its mean loss.
  func lossAndGradient(at position: inout DataPosition) -> Double
  /// The mean loss over data that is never trained on.
  func validationLoss() -> Double
}
