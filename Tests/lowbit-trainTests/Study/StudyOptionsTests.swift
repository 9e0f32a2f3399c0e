import Foundation
import XCTest

@testable import lowbit_train

final class StudyOptionsTests: XCTestCase {
  func testWhichProgramIsMeant() {
    XCTAssertTrue(StudyOptions.areMeant(by: ["--quick", "--study"]))
    XCTAssertTrue(StudyOptions.areMeant(by: ["--ablation"]))
    XCTAssertTrue(StudyOptions.areMeant(by: ["--schemes"]))
    XCTAssertFalse(StudyOptions.areMeant(by: ["--quick"]))
  }

  func testDefaults() throws {
    let options = try StudyOptions(["--study"])
    XCTAssertTrue(options.study && !options.ablation)
    XCTAssertEqual(options.optimizers, OptimizerEntry.all.map(\.name))
    XCTAssertEqual(options.tasks, StudyTask.allCases)
    XCTAssertEqual(options.seeds, [1, 2, 3, 4, 5])
    XCTAssertEqual(options.ablationSeeds, [1])
    XCTAssertEqual(options.schemeSeeds, [1, 2, 3])
    XCTAssertNil(options.schemeNames)
    XCTAssertEqual(options.length, .full)
  }

  func testEveryOption() throws {
    let options = try StudyOptions([
      "--study", "--ablation", "--schemes", "--quick", "--optimizers", "adam32", "--tasks=digits,words-plain",
      "--only", "nf4,ze-eden", "--rate=1.5", "--seeds", "3", "--out", "results", "--text", "a.txt", "--digits=d.csv",
      "--threads", "4", "-h",
    ])
    XCTAssertTrue(options.study && options.ablation && options.schemes && options.help)
    XCTAssertEqual(options.length, .quick)
    XCTAssertEqual(options.optimizers, ["Adam32"])
    XCTAssertEqual(options.tasks, [.digits, .wordsPlain])
    XCTAssertEqual(options.seeds, [1, 2, 3])
    XCTAssertEqual(options.ablationSeeds, [1, 2, 3])
    XCTAssertEqual(options.schemeNames, ["nf4", "ze-eden"])
    XCTAssertEqual(options.rateFactor, 1.5)
    XCTAssertEqual(options.folder, "results")
    XCTAssertEqual(options.textPath, "a.txt")
    XCTAssertEqual(options.digitsPath, "d.csv")
    XCTAssertEqual(options.threads, 4)
    XCTAssertEqual(try StudyOptions(["--study", "--quick"]).seeds, [1, 2])
  }

  func testMistakesAreNamed() {
    let mistakes: [([String], String)] = [
      (["--study", "--steps", "3"], "unknown option --steps"), (["--study=1"], "unknown option --study=1"),
      (["--study", "--seeds", "0"], "--seeds needs a number above 0, not 0"),
      (["--schemes", "--rate", "0"], "--rate needs a number above 0, not 0"),
      (["--study", "--tasks", ","], "--tasks needs at least one name"),
      (
        ["--study", "--tasks", "chess"],
        "no task is named chess; there are characters-stable, characters-plain, words-stable, words-plain, digits, "
          + "fine-tuning"
      ),
    ]
    for (arguments, message) in mistakes {
      XCTAssertThrowsError(try StudyOptions(arguments), "\(arguments)") { XCTAssertEqual("\($0)", message) }
    }
  }

  func testUsageNamesEveryOption() {
    for name in [
      "--study", "--ablation", "--schemes", "--quick", "--seeds", "--only", "--rate", "--optimizers", "--tasks",
      "--text", "--digits",
      "--out", "--threads", "--help",
    ] {
      XCTAssertTrue(StudyOptions.usage.contains("  \(name)"), name)
    }
    XCTAssertTrue(StudyOptions.usage.split(separator: "\n").allSatisfy { $0.count <= 120 })
    XCTAssertTrue(Options.usage.contains("--study --help"))
  }
}
