import XCTest

@testable import lowbit_train

final class TrainingTests: XCTestCase {
  private let text = TrainingText(
    String(repeating: "she sells sea shells by the sea shore; the shells she sells are sea shells. ", count: 40),
    title: "shells")

  private func task(seed: UInt64 = 1, shards: Int = 4, threads: Int = 2) -> CharacterTask {
    let sizes = CharacterModelSizes(
      vocabulary: text.vocabulary.count, context: 16, width: 16, heads: 2, blocks: 1)
    return CharacterTask(
      text, sizes: sizes, seed: seed, batch: 8, shards: shards, validationWindows: 16, threads: threads)
  }

  private func run(
    _ name: String, steps: Int = 30, seed: UInt64 = 1, shards: Int = 4, threads: Int = 2
  ) -> TrainingRun {
    let task = task(seed: seed, shards: shards, threads: threads)
    let run = TrainingRun(OptimizerEntry.named(name)!, task: task, steps: steps, seed: seed)
    run.optimizer.threadCount = threads
    while !run.isFinished { run.advance() }
    return run
  }

  private func values(_ run: TrainingRun) -> [UInt32] {
    run.task.parameters.parameters.flatMap { $0.value.map(\.bitPattern) }
  }

  func testSameSeedGivesTheSameBits() {
    for entry in OptimizerEntry.all {
      let (one, again) = (run(entry.name), run(entry.name))
      XCTAssertEqual(one.losses, again.losses, entry.name)
      XCTAssertEqual(values(one), values(again), entry.name)
      XCTAssertEqual(one.finish().finalValidationLoss, again.finish().finalValidationLoss, entry.name)
    }
    XCTAssertNotEqual(run("Adam32").losses, run("Adam32", seed: 2).losses)
  }

  func testThreadCountDoesNotChangeABit() {
    for name in ["Adam32", "Adam8bit", "Momentum8bit"] {
      let one = run(name, threads: 1)
      for threads in [2, 3, 8] {
        let many = run(name, threads: threads)
        XCTAssertEqual(one.losses, many.losses, "\(name) on \(threads) threads")
        XCTAssertEqual(values(one), values(many), "\(name) on \(threads) threads")
        XCTAssertEqual(one.finish().finalValidationLoss, many.finish().finalValidationLoss)
      }
    }
  }

  /// Sums are grouped differently, so only nearly equal; a shard left out or counted twice would be far off.
  func testShardsTogetherAreTheWholeBatch() {
    let (whole, cut) = (task(shards: 1), task(shards: 8))
    var (first, second) = (DataPosition(seed: 9), DataPosition(seed: 9))
    XCTAssertEqual(whole.lossAndGradient(at: &first), cut.lossAndGradient(at: &second), accuracy: 1e-6)
    for (one, other) in zip(whole.parameters.parameters, cut.parameters.parameters) {
      assertClose(one.name, Array(other.gradient), doubles(Array(one.gradient)))
    }
    XCTAssertEqual(whole.validationLoss(), cut.validationLoss(), accuracy: 1e-6)
  }

  func testAllOptimizersStartEqualAndReadTheSame() {
    let runs = OptimizerEntry.all.map { run($0.name, steps: 1) }
    for one in runs { XCTAssertEqual(one.losses, runs[0].losses, one.entry.name) }
    XCTAssertEqual(Set(runs.map(\.position.windowsDrawn)), [8])
    XCTAssertTrue(runs.allSatisfy { $0.position == runs[0].position })
  }

  func testStartValues() {
    let task = task()
    for parameter in task.parameters.parameters {
      if parameter.name.hasSuffix(".gain") {
        XCTAssertTrue(parameter.value.allSatisfy { $0 == 1 }, parameter.name)
      } else if parameter.name.hasSuffix(".bias") {
        XCTAssertTrue(parameter.value.allSatisfy { $0 == 0 }, parameter.name)
      } else {
        XCTAssertGreaterThan(Set(parameter.value).count, parameter.value.count * 9 / 10, parameter.name)
      }
    }
    var position = DataPosition(seed: 1)
    let even = log(Double(text.vocabulary.count))
    XCTAssertEqual(task.lossAndGradient(at: &position), even, accuracy: 0.3, "a new model has no opinion yet")
  }

  func testTheScheduleReachesTheOptimizer() {
    let run = TrainingRun(OptimizerEntry.named("Adam32")!, task: task(), steps: 40, seed: 1)
    for step in 0..<40 {
      run.advance()
      XCTAssertEqual(run.optimizer.learningRate, run.schedule.rate(step))
    }
    XCTAssertTrue(run.isFinished)
  }

  /// Nothing of the batch before may be left in gradients or activations.
  func testEveryStepStartsAfresh() {
    let task = task()
    func gradient() -> [[Float]] {
      var position = DataPosition(seed: 9)
      _ = task.lossAndGradient(at: &position)
      return task.parameters.parameters.map { Array($0.gradient) }
    }
    let first = gradient()
    _ = task.validationLoss()
    XCTAssertEqual(gradient(), first)
  }

  /// More windows than one batch holds, so the parts must be added up.
  func testValidationIsTheMeanOverAllWindows() {
    let task = task()
    let windows = evenlySpacedWindows(16, from: text.validation, context: 16)
    let memory = CharacterModelMemory(task.model, sequences: 16)
    let store = task.parameters
    let pass = Pass(values: store.values, gradients: store.gradients, panel: memory.panel)
    let sum = task.model.loss(windows.inputs, targets: windows.targets, memory, pass: pass)
    XCTAssertEqual(task.validationLoss(), sum / Double(windows.inputs.count), accuracy: 1e-9)
  }

  func testEveryOptimizerLearns() {
    let frequency = unigramEntropy(text.validation)
    for entry in OptimizerEntry.all {
      let result = run(entry.name, steps: 150).finish()
      XCTAssertLessThan(result.finalValidationLoss, 0.7 * frequency, entry.name)
      XCTAssertLessThan(result.finalTrainingLoss, result.losses[0], entry.name)
      XCTAssertEqual(result.losses.count, 150)
      XCTAssertGreaterThan(result.stateBytes, 0)
    }
  }

  func testPositionsAreEnoughToReadOn() throws {
    var position = DataPosition(seed: 3)
    _ = position.draw(10, from: text.training, context: 16)
    let saved = try JSONDecoder().decode(DataPosition.self, from: JSONEncoder().encode(position))
    XCTAssertEqual(saved.windowsDrawn, 10)
    var restored = saved
    XCTAssertEqual(
      position.draw(5, from: text.training, context: 16), restored.draw(5, from: text.training, context: 16))
    XCTAssertNotEqual(
      position.draw(5, from: text.training, context: 16), restored.draw(6, from: text.training, context: 16))
  }

  func testClippingShortensLongGradientsOnly() {
    let task = task()
    var position = DataPosition(seed: 1)
    _ = task.lossAndGradient(at: &position)
    let length = task.clipGradient(to: 1e-3)
    XCTAssertGreaterThan(length, 1e-3)
    XCTAssertEqual(task.clipGradient(to: 1), 1e-3, accuracy: 1e-8)
    XCTAssertEqual(task.clipGradient(to: 1), 1e-3, accuracy: 1e-8)
  }

  func testScheduleRisesThenFallsToZero() {
    let schedule = LearningSchedule(peak: 2, steps: 200)
    let rates = (0..<200).map(schedule.rate)
    XCTAssertEqual(rates.max()!, 2, accuracy: 1e-6)
    XCTAssertEqual(rates[19], 2, accuracy: 1e-6)
    XCTAssertEqual(Array(rates[..<20]), rates[..<20].sorted())
    XCTAssertEqual(Array(rates[20...]), rates[20...].sorted(by: >))
    XCTAssertGreaterThan(rates[0], 0)
    XCTAssertLessThan(rates[199], 0.001)
    XCTAssertEqual(LearningSchedule(peak: 1, steps: 1).rate(0), 1)
  }

  func testPartnersInTheTable() {
    for entry in OptimizerEntry.all {
      let partner = OptimizerEntry.named(entry.fullPrecision)
      XCTAssertEqual(partner?.fullPrecision, entry.fullPrecision, "\(entry.name)'s partner must be a 32-bit one")
      // With a smaller momentum the same step of a constant gradient takes a larger rate.
      let rates: [String: Float] = ["Momentum3bit": 3.06, "Momentum2bit": 4.73]
      XCTAssertEqual(
        (partner?.peakRate ?? 0) * (rates[entry.name] ?? 1), entry.peakRate, accuracy: 1e-4,
        "\(entry.name) must train at its partner's rate")
    }
  }
}
