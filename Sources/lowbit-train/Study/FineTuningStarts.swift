import Foundation
import ProgramSupport

/// The models that fine-tuning starts from: one a seed, trained in 32 bits when it is first asked for.
final class FineTuningStarts: @unchecked Sendable, CustomStringConvertible {
  private let material: StudyMaterial
  private let length: StudyLength
  private let lock = NSLock()
  private var starts: [UInt64: Start] = [:]

  /// One model. Its own lock lets a second thread wait for it, while a third trains that of another seed.
  private final class Start: @unchecked Sendable {
    let lock = NSLock()
    var values: [Float]?
  }

  init(_ material: StudyMaterial, _ length: StudyLength) {
    self.material = material
    self.length = length
  }

  private var steps: Int { StudyTask.charactersPlain.steps(length) }

  /// What the values depend on beside the data.
  var description: String { "after \(steps) steps of Adam32" }

  /// All parameters, in the order of the model's layout.
  func values(seed: UInt64) -> [Float] {
    let start = lock.withLock {
      let start = starts[seed] ?? Start()
      starts[seed] = start
      return start
    }
    return start.lock.withLock {
      let values = start.values ?? train(seed)
      start.values = values
      return values
    }
  }

  private func train(_ seed: UInt64) -> [Float] {
    let task = material.characters(material.fineTuning.before, .plain, seed: seed)
    let run = TrainingRun(OptimizerEntry.named("Adam32")!, task: task, steps: steps, seed: seed)
    run.optimizer.threadCount = 1
    while !run.isFinished { run.advance() }
    return Array(UnsafeBufferPointer(start: task.parameters.values, count: task.parameters.layout.capacity))
  }
}
