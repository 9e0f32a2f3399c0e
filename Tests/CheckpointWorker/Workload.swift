import Foundation
import LowBitOptimizers
import TestSupport

/// A run that can be stopped and continued: its gradients depend on the seed and the step alone.
public struct Workload {
  /// Quantized with a tail, small, quantized but seldom updated, and empty.
  public static let counts = [("layer.weight", 5003), ("layer.bias", 300), ("frozen now and then", 4096), ("empty", 0)]

  public let optimizer: LowBitOptimizer
  public var parameters: [[Float]]

  public init(_ optimizer: LowBitOptimizer) {
    self.optimizer = optimizer
    var generator = SeededGenerator(quietly: 1)
    parameters = Self.counts.map { _, count in (0..<count).map { _ in generator.normal() } }
  }

  /// - Parameter steps: numbers from 1.
  public mutating func run(_ steps: ClosedRange<Int>) {
    for step in steps {
      optimizer.learningRate *= 0.99
      for (index, (name, count)) in Self.counts.enumerated() where index != 2 || step % 3 == 0 {
        var generator = SeededGenerator(quietly: UInt64(1000 * step + index))
        let gradient = (0..<count).map { $0 % 7 == 0 ? generator.wideRange() : generator.normal() }
        optimizer.update(ParameterKey(name), &parameters[index], along: gradient)
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
