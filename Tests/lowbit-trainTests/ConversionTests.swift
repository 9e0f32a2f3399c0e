import Foundation
import TestSupport
import XCTest

@testable import lowbit_train

/// Changing a run's precision in the middle: from a checkpoint of the 32-bit optimizer, and only because it is asked for.
final class ConversionTests: XCTestCase {
  func testSwitchingTo8BitsAtStep100LeavesTheFinalLoss() throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("conversion-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    let text = try TrainingText.ownSources()
    let sizes = CharacterModelSizes(vocabulary: text.vocabulary.count)
    let steps = isExhaustive ? 600 : 150
    let families = isExhaustive ? ["Adam", "AdamW", "Momentum"] : ["Adam", "Momentum"]
    for family in families {
      let task = CharacterTask(
        text, sizes: sizes, seed: 1, batch: isExhaustive ? 16 : 8, validationWindows: isExhaustive ? 512 : 128)
      let full = TrainingRun(OptimizerEntry.named("\(family)32")!, task: task, steps: steps, seed: 1)
      while full.step < 100 { full.advance() }
      try full.optimizer.save(to: file)
      let (position, losses) = (full.position, full.losses)
      let values = task.parameters.parameters.map { Array($0.value) }
      while !full.isFinished { full.advance() }
      let expected = task.validationLoss()

      for (parameter, values) in zip(task.parameters.parameters, values) {
        _ = parameter.value.update(fromContentsOf: values)
      }
      let lowBit = TrainingRun(OptimizerEntry.named("\(family)8bit")!, task: task, steps: steps, seed: 1)
      try lowBit.optimizer.restore(from: file, converting: true)
      lowBit.resume(at: 100, position, losses: losses, seconds: 0)
      XCTAssertLessThan(3 * lowBit.optimizer.stateByteCount, full.optimizer.stateByteCount, family)
      while !lowBit.isFinished { lowBit.advance() }
      let loss = task.validationLoss()
      print("\(family): validation loss \(expected) in 32 bits, \(loss) with 8 bits from step 100 of \(steps)")
      XCTAssertNotEqual(loss, expected, family)
      XCTAssertEqual(loss / expected, 1, accuracy: 0.01, family)
    }
  }
}
