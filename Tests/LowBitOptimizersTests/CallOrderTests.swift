import TestSupport
import XCTest

@testable import LowBitOptimizers

/// A call that names the tensors of the last one again takes a shorter way. Whatever the order, the result is that of single
/// calls.
final class CallOrderTests: XCTestCase {
  /// Tensor 4 is empty; 5 has blocks that share scales.
  private let shapes = [[5000], [300], [4097], [64, 65], [0], [70, 90]]

  private let orders = [
    [0, 1, 2], [0, 1, 2], [0], [0, 1, 2], [0, 2, 1], [2], [0, 2, 1, 3], [0, 2, 1, 3], [0, 2, 4, 1, 3], [4, 0], [0, 2],
    [0, 2, 1, 3, 5], [0, 2, 1, 3, 5], [5, 3, 1], [5, 3, 1], [5],
  ]

  private func bits(_ values: [[Float]]) -> [[UInt32]] { values.map { $0.map(\.bitPattern) } }

  func testAnyOrderEqualsSingleCalls() {
    var generator = SeededGenerator()
    let makers: [() -> LowBitOptimizer] = [
      { Adam32() }, { Adam8bit() }, { Adam4bit() }, { Adam2bit() }, { Momentum3bit(learningRate: 1e-3) },
      { AdamMixed(firstMoment: .dynamic4, secondMoment: .factored) },
    ]
    for make in makers {
      let (batch, single) = (make(), make())
      var values = shapes.map { shape in (0..<shape.reduce(1, *)).map { _ in generator.normal() } }
      var expected = values
      for (step, order) in orders.enumerated() {
        // A state that was replaced between calls, and all forgotten.
        if step == 8 { batch.states["3"] = batch.states["3"] }
        if step == 14 { for optimizer in [batch, single] { optimizer.reset() } }
        var gradients = values.map { $0.map { _ in generator.normal() } }
        // A tensor whose only block is skipped makes no step.
        if step % 3 == 1 { gradients[1][7] = .nan }
        for index in order {
          single.update(ParameterKey(index), &expected[index], along: gradients[index], shape: shapes[index])
        }
        let (parameters, directions) = (values.map(copied), gradients.map(copied))
        batch.update(
          order.map {
            TensorUpdate(
              ParameterKey($0), parameters[$0], along: UnsafeBufferPointer(directions[$0]), shape: shapes[$0])
          })
        values = parameters.map(Array.init)
        for memory in parameters + directions { memory.deallocate() }
        XCTAssertEqual(bits(values), bits(expected), "\(batch), call \(step)")
        for index in shapes.indices {
          let key = ParameterKey(index)
          XCTAssertEqual(batch.stepCount(of: key), single.stepCount(of: key), "\(batch), call \(step), \(key)")
          XCTAssertEqual(batch.moments(of: key), single.moments(of: key), "\(batch), call \(step), \(key)")
        }
      }
    }
  }

  private func copied(_ values: [Float]) -> UnsafeMutableBufferPointer<Float> {
    let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: values.count)
    _ = memory.initialize(from: values)
    return memory
  }
}
