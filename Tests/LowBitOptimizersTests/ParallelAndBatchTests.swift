import LowBitOptimizers
import TestSupport
import XCTest

final class ParallelAndBatchTests: XCTestCase {
  private func optimizers() -> [LowBitOptimizer] {
    let all: [LowBitOptimizer] = [Adam32(), Adam8bit(), AdamW8bit(blockSize: 100), Momentum32(), Momentum8bit()]
    for optimizer in all { optimizer.sizeRule.minimumCount = 0 }
    return all
  }

  private func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }

  func testAnyNumberOfThreadsGivesTheSameBits() throws {
    var generator = SeededGenerator()
    let count = 300_007
    let start = (0..<count).map { _ in generator.normal() }
    let gradients = (0..<3).map { _ in (0..<count).map { _ in generator.wideRange() } }
    for index in optimizers().indices {
      var expected: ([UInt32], Moments)?
      for threads in 1...8 {
        let optimizer = optimizers()[index]
        optimizer.threadCount = threads
        var parameter = start
        for gradient in gradients { optimizer.update("p", &parameter, along: gradient) }
        let result = (bits(parameter), try XCTUnwrap(optimizer.moments(of: "p")))
        if let expected {
          XCTAssertEqual(result.0, expected.0, "\(threads) threads")
          XCTAssertEqual(result.1, expected.1, "\(threads) threads")
        }
        expected = expected ?? result
      }
    }
  }

  /// A batch of tensors of all sizes does what one call a tensor does.
  func testABatchEqualsSingleCalls() throws {
    var generator = SeededGenerator()
    let counts = (0..<300).map { $0 < 40 ? $0 : Int(generator.next() % 3000) }
    let starts = counts.map { count in (0..<count).map { _ in generator.normal() } }
    for (single, batch) in zip(optimizers(), optimizers()) {
      var parameters = starts
      var arena = starts.flatMap { $0 }
      for step in 0..<3 {
        let gradients = counts.map { count in (0..<count).map { _ in generator.normal() } }
        for index in counts.indices where (index + step) % 7 != 0 {
          single.update(ParameterKey(index), &parameters[index], along: gradients[index])
        }
        arena.withUnsafeMutableBufferPointer { arena in
          gradients.flatMap { $0 }.withUnsafeBufferPointer { gradient in
            var updates: [TensorUpdate] = []
            var offset = 0
            for (index, count) in counts.enumerated() {
              let range = offset..<offset + count
              offset += count
              if (index + step) % 7 == 0 { continue }
              updates.append(
                TensorUpdate(
                  ParameterKey(index), UnsafeMutableBufferPointer(rebasing: arena[range]),
                  along: UnsafeBufferPointer(rebasing: gradient[range])))
            }
            let summary = batch.update(updates)
            XCTAssertEqual(summary.skippedBlockCount, 0)
          }
        }
      }
      XCTAssertEqual(bits(arena), bits(parameters.flatMap { $0 }))
      for index in counts.indices {
        XCTAssertEqual(single.stepCount(of: ParameterKey(index)), batch.stepCount(of: ParameterKey(index)))
        XCTAssertEqual(single.moments(of: ParameterKey(index)), batch.moments(of: ParameterKey(index)))
      }
    }
  }

  func testAllFormsDoTheSame() {
    let start: [Float] = [1, 2, 3, 4, 5, 6]
    let gradient: [Float] = [0.1, -0.2, 0.3, -0.4, 0.5, -0.6]
    var byArray = start
    Adam8bit().update("p", &byArray, along: gradient, shape: [2, 3])
    var bySpan = start
    var span = bySpan.mutableSpan
    Adam8bit().update("p", &span, along: gradient.span)
    var byPointer = start
    byPointer.withUnsafeMutableBufferPointer { parameter in
      gradient.withUnsafeBufferPointer { _ = Adam8bit().update("p", parameter, along: $0) }
    }
    XCTAssertEqual(byArray, bySpan)
    XCTAssertEqual(byArray, byPointer)
    XCTAssertNotEqual(byArray, start)
  }

  /// Gradients that come and go: every parameter counts its own updates.
  func testStepsAreCountedByParameter() {
    let schedule = [[1, 1, 1], [1, 0, 1], [1, 0, 0], [1, 0, 0], [1, 1, 0]]
    let together = Adam8bit()
    let alone = (0..<3).map { _ in Adam8bit() }
    var values = [[Float]](repeating: [1, 2], count: 3)
    var expected = values
    for (step, present) in schedule.enumerated() {
      for index in 0..<3 where present[index] == 1 {
        let gradient: [Float] = [Float(step) + 1, -Float(index) - 0.5]
        together.update(ParameterKey(index), &values[index], along: gradient)
        alone[index].update("only", &expected[index], along: gradient)
      }
    }
    XCTAssertEqual(values, expected)
    XCTAssertEqual((0..<3).map { together.stepCount(of: ParameterKey($0)) }, [5, 2, 2])
  }

  func testTheLearningRateTakesEffectAtOnce() {
    let optimizer = Adam32(learningRate: 1e-3)
    var parameter: [Float] = [0]
    optimizer.update("p", &parameter, along: [1])
    XCTAssertEqual(parameter[0], -1e-3, accuracy: 1e-9)
    optimizer.learningRate = 0.5
    optimizer.update("p", &parameter, along: [1])
    XCTAssertEqual(parameter[0], -0.501, accuracy: 1e-6)
  }

  #if os(Linux)
  /// The step's own memory, whatever the tensor's size: 64 KiB a thread, and 1 MiB for the system's noise.
  func testAStepNeedsNoMemoryOfTheTensorsSize() throws {
    let count = 1 << 24
    var parameter = [Float](repeating: 1, count: count)
    let gradient = [Float](repeating: 1, count: count)
    for optimizer in [Adam8bit(), Momentum8bit()] as [LowBitOptimizer] {
      optimizer.update("p", &parameter, along: gradient)
      do {
        try "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8)
      } catch {
        throw XCTSkip("the peak of memory cannot be reset here: \(error)")
      }
      let before = try memory("VmRSS")
      optimizer.update("p", &parameter, along: gradient)
      let peak = try memory("VmHWM")
      XCTAssertLessThan(peak - before, optimizer.threadCount * 65_536 + 1 << 20)
    }
  }

  private func memory(_ field: String) throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try XCTUnwrap(status.split(separator: "\n").first { $0.hasPrefix(field) })
    return 1024 * Int(line.filter(\.isNumber))!
  }
  #endif
}
