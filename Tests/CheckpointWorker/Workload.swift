import Foundation
import LowBitOptimizers
import TestSupport

/// A run that can be stopped and continued: its gradients depend on the seed and the step alone.
public struct Workload {
  /// Quantized with a tail, small, quantized but seldom updated, empty, and with scales per row and column where the
  /// optimizer has them.
  public static let shapes = [
    ("layer.weight", [5003]), ("layer.bias", [300]), ("frozen now and then", [4096]), ("empty", [0]),
    ("layer.matrix", [67, 71]), ("layer.kernel", [16, 13, 21]),
  ]

  public let optimizer: LowBitOptimizer
  public var parameters: [[Float]]

  public init(_ optimizer: LowBitOptimizer) {
    self.optimizer = optimizer
    var generator = SeededGenerator(quietly: 1)
    parameters = Self.shapes.map { _, shape in (0..<shape.reduce(1, *)).map { _ in generator.normal() } }
  }

  /// - Parameter steps: numbers from 1.
  public mutating func run(_ steps: ClosedRange<Int>) {
    for step in steps {
      optimizer.learningRate *= 0.99
      for (index, (name, shape)) in Self.shapes.enumerated() where index != 2 || step % 3 == 0 {
        var generator = SeededGenerator(quietly: UInt64(1000 * step + index))
        let gradient = parameters[index].indices.map { $0 % 7 == 0 ? generator.wideRange() : generator.normal() }
        optimizer.update(ParameterKey(name), &parameters[index], along: gradient, shape: shape)
      }
    }
  }

  // The parameters themselves, as the training program would keep them.

  public func saveParameters(to url: URL) throws {
    try parameters.flatMap { $0 }.withUnsafeBytes { try Data($0).write(to: url) }
  }

  public mutating func loadParameters(from url: URL) throws {
    let data = try Data(contentsOf: url)
    var offset = 0
    for index in parameters.indices {
      parameters[index].withUnsafeMutableBytes { offset += data[offset..<offset + $0.count].copyBytes(to: $0) }
    }
  }

  /// One of two states that are easily told apart.
  public static func fixedState(_ number: Int) -> LowBitOptimizer {
    let optimizer = Adam8bit()
    let count = 200_000 + number
    var parameter = [Float](repeating: 1, count: count)
    optimizer.update("p", &parameter, along: (0..<count).map { Float($0 % 1000 + number) })
    return optimizer
  }
}
