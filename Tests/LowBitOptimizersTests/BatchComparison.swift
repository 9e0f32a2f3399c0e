import TestSupport
import XCTest

@testable import LowBitOptimizers

/// Three steps of many tensors: one optimizer takes them one by one, the other, set up alike, in one batch.
func assertABatchEqualsOneByOne(
  _ single: LowBitOptimizer, _ batch: LowBitOptimizer, _ shapes: [[Int]?], _ counts: [Int],
  _ generator: inout SeededGenerator, file: StaticString = #filePath, line: UInt = #line
) {
  var parameters = counts.map { count in (0..<count).map { _ in generator.normal() } }
  var arena = parameters.flatMap { $0 }
  for _ in 0..<3 {
    let gradients = counts.map { count in (0..<count).map { _ in generator.wideRange() } }
    for index in counts.indices {
      single.update(ParameterKey(index), &parameters[index], along: gradients[index], shape: shapes[index])
    }
    arena.withUnsafeMutableBufferPointer { arena in
      gradients.flatMap { $0 }.withUnsafeBufferPointer { gradient in
        var offset = 0
        batch.update(
          counts.indices.map { index in
            defer { offset += counts[index] }
            let range = offset..<offset + counts[index]
            return TensorUpdate(
              ParameterKey(index), UnsafeMutableBufferPointer(rebasing: arena[range]),
              along: UnsafeBufferPointer(rebasing: gradient[range]), shape: shapes[index])
          })
      }
    }
  }
  XCTAssertTrue(arena.map(\.bitPattern) == parameters.flatMap { $0 }.map(\.bitPattern), file: file, line: line)
  XCTAssertTrue(OptimizerSnapshot(single) == OptimizerSnapshot(batch), file: file, line: line)
}
