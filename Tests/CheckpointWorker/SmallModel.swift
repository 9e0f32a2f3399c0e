import LowBitOptimizers

/// Parameters for the fuzzers' files, as small as they can be to have all kinds of state: in low bits with a tail, in 32
/// bits by size and by request, none at all, and a matrix with scales per row and column where the optimizer has them.
public enum SmallModel {
  public static let shapes: [(name: String, shape: [Int])] = [
    ("a", [150]), ("b", [5]), ("é", [30]), ("", [0]), ("m", [17, 19]),
  ]

  public static func prepare(_ optimizer: LowBitOptimizer) {
    optimizer.sizeRule = SizeRule(minimumCount: 20)
    optimizer.sizeRule.keep32Bit("é")
  }

  /// One step. The gradient is a function of the element's index.
  public static func update(_ optimizer: LowBitOptimizer, along gradient: (Int) -> Float) {
    for (name, shape) in shapes {
      let count = shape.reduce(1, *)
      var parameter = [Float](repeating: 1, count: count)
      optimizer.update(ParameterKey(name), &parameter, along: (0..<count).map(gradient), shape: shape)
    }
  }
}
