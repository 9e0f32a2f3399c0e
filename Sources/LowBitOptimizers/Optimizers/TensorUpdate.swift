/// One tensor of a batch: which memory to move, and along which gradient.
///
/// The memory belongs to the caller and must stay valid during the call that the update is passed to.
///
/// ```swift
/// optimizer.update([TensorUpdate("w", weights, along: weightGradient), TensorUpdate("b", bias, along: biasGradient)])
/// ```
public struct TensorUpdate {
  /// The parameter's stable name.
  public var key: ParameterKey
  /// What moves.
  public var parameter: UnsafeMutableBufferPointer<Float>
  /// As many elements as the parameter.
  public var gradient: UnsafeBufferPointer<Float>
  /// The tensor's dimensions, outermost first; nil for a vector, and for a tensor whose shape is known from before. Checked
  /// against the count. 4-bit second moments take scales per row and column from it, and
  /// ``SecondMomentFormat/factored`` ones their rows and columns.
  public var shape: [Int]?
  /// What the parameter is in its model. Read at the key's first update, when its state is made.
  public var role: ParameterRole
  /// Of a shape, here and in checkpoints.
  static let mostDimensions = 32

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

  /// The product of the dimensions; nil if no tensor can have them.
  static func elementCount(of shape: [Int]) -> Int? {
    if shape.contains(where: { $0 < 0 }) { return nil }
    if shape.contains(0) { return 0 }
    var count = 1
    for length in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: length)
      if overflow { return nil }
      count = product
    }
    return count
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
      if shape.count > Self.mostDimensions {
        return "\(key): a shape of \(shape.count) dimensions; the limit is \(Self.mostDimensions)"
      }
      let count = Self.elementCount(of: shape)
      if count != parameter.count {
        let elements = count.map { "\($0)" } ?? "no possible number of elements"
        return "\(key): the parameter has \(parameter.count) elements, its shape \(shape) has \(elements)"
      }
    }
    return nil
  }
}
