/// One tensor of a batch: which memory to move, and along which gradient.
///
/// The memory belongs to the caller and must stay valid during the call that the update is passed to.
///
/// ```swift
/// optimizer.update([TensorUpdate("w", weights, along: weightGradient), TensorUpdate("b", bias, along: biasGradient)])
/// ```
public struct TensorUpdate {
  public var key: ParameterKey
  public var parameter: UnsafeMutableBufferPointer<Float>
  public var gradient: UnsafeBufferPointer<Float>
  /// The tensor's dimensions, outermost first; nil for a vector.
  public var shape: [Int]?
  /// What the parameter is in its model. Read at the key's first update, when its state is made.
  public var role: ParameterRole
  /// The rows that move; nil for all.
  var rows: RowSelection?

  public init(
    _ key: ParameterKey, _ parameter: UnsafeMutableBufferPointer<Float>, along gradient: UnsafeBufferPointer<Float>,
    shape: [Int]? = nil, role: ParameterRole = .weight
  ) {
    self.key = key
    self.parameter = parameter
    self.gradient = gradient
    self.shape = shape
    self.role = role
  }

  /// Mistakes of the calling program stop it, naming the key and both numbers.
  func checkSizes() {
    if let problem = sizeProblem { fatalError(problem) }
  }

  var sizeProblem: String? {
    if parameter.count != gradient.count {
      return "\(key): the parameter has \(parameter.count) elements, its gradient \(gradient.count)"
    }
    if let shape {
      let count = shape.reduce(1, *)
      if count != parameter.count || shape.contains(where: { $0 < 0 }) {
        return "\(key): the parameter has \(parameter.count) elements, its shape \(shape) has \(count)"
      }
    }
    return nil
  }
}
