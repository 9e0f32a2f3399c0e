import LowBitOptimizers
import XCTest

@testable import lowbit_train

final class StudyRunTests: XCTestCase {
  private func plan(_ optimizers: [String] = ["Adam32", "Adam8bit"], _ tasks: [StudyTask] = StudyTask.allCases)
    -> StudyPlan
  {
    StudyPlan(
      optimizers: optimizers.map { OptimizerEntry.named($0)! }, tasks: tasks, seeds: [1, 2], length: .quick,
      material: SmallStudy.material)
  }

  private func outcomes(_ plan: StudyPlan, threads: Int) throws -> [RunOutcome] {
    let jobs = plan.jobs(FineTuningStarts(plan.material, plan.length))
    let runner = StudyJobs(folder: try StudyFolder(path: temporaryFolder()), threads: threads) { _ in }
    return try runner.outcomes(jobs).map { outcome in
      var outcome = outcome
      outcome.seconds = 0
      return outcome
    }
  }

  func testEveryTaskGivesTheSameDigitsAgain() throws {
    let plan = plan()
    let one = try outcomes(plan, threads: 1)
    XCTAssertEqual(try outcomes(plan, threads: 3), one)
    XCTAssertEqual(one.count, plan.runs.count)
    for (run, outcome) in zip(plan.runs, one) {
      let name = "\(run.task) \(run.optimizer.name) \(run.seed)"
      XCTAssertEqual(outcome.steps, run.task.steps(.quick), name)
      XCTAssertTrue(outcome.validationLoss.isFinite, name)
      XCTAssertEqual(outcome.validationAccuracy != nil, run.task == .digits, name)
      XCTAssertGreaterThan(outcome.stateBytes, 0, name)
    }
    XCTAssertNotEqual(one[0].losses, one[2].losses, "another seed")
  }

  func testEveryRunHasAFileOfItsOwn() {
    let plan = plan(OptimizerEntry.all.map(\.name))
    let names = plan.jobs(FineTuningStarts(plan.material, .quick)).map(\.name)
    XCTAssertEqual(Set(names).count, names.count)
    XCTAssertEqual(names[0], "characters-stable.100-steps.Adam32.seed1")
  }

  func testFineTuningStartsFromTheTrainedModel() throws {
    let starts = FineTuningStarts(SmallStudy.material, .quick)
    let values = starts.values(seed: 1)
    XCTAssertEqual(starts.values(seed: 1), values)
    XCTAssertNotEqual(starts.values(seed: 2), values)
    let trained = SmallStudy.material.task(.fineTuning, seed: 1, start: values).validationLoss()
    let untrained = SmallStudy.material.characters(SmallStudy.material.fineTuning.after, .plain, seed: 1)
    XCTAssertLessThan(trained, 0.95 * untrained.validationLoss())
  }

  func testARunThatGoesWrongEndsEarly() {
    let run = StudyRun(
      task: SmallStudy.material.words(.plain, seed: 1), optimizer: Adam32(learningRate: 1),
      schedule: LearningSchedule(peak: 1e30, steps: 50), seed: 1, guessingLoss: 1.5)
    let outcome = run.outcome()
    XCTAssertLessThan(outcome.steps, 50)
    XCTAssertTrue(outcome.isDiverged)
    XCTAssertEqual(outcome.validationLoss, .infinity)
  }

  func testDivergence() {
    XCTAssertFalse(SmallStudy.outcome(loss: 1).isDiverged)
    XCTAssertTrue(SmallStudy.outcome(loss: 3.1).isDiverged, "no better than guessing")
    XCTAssertTrue(SmallStudy.outcome(loss: 1, largest: 4.1).isDiverged, "worse than the untrained model")
    XCTAssertTrue(SmallStudy.outcome(loss: .nan).isDiverged)
    XCTAssertTrue(SmallStudy.outcome(loss: 1, largest: .nan).isDiverged)
  }

  func testOtherDataIsAnotherSetting() {
    let text = TrainingText(String(repeating: "other words, other deeds. ", count: 100), title: "other")
    let small = SmallStudy.material
    let other = StudyMaterial(
      text: text, digits: small.digits, characterSizes: small.characterSizes, wordSizes: small.wordSizes,
      words: 20_000)
    XCTAssertNotEqual(other.fingerprint(.charactersPlain), small.fingerprint(.charactersPlain))
    XCTAssertEqual(other.fingerprint(.wordsPlain), small.fingerprint(.wordsPlain))
    XCTAssertEqual(other.fingerprint(.digits), small.fingerprint(.digits))
  }
}
