import XCTest

@testable import lowbit_train

final class OptionsTests: XCTestCase {
  func testDefaults() throws {
    let options = try Options([])
    XCTAssertEqual(options, Options())
    XCTAssertEqual(Array(options.optimizers.prefix(2)), ["Adam32", "Adam8bit"])
    XCTAssertTrue(options.optimizers.contains("Momentum8bit"))
    XCTAssertEqual(options.seed, 1)
    XCTAssertEqual(options.stepCount, Options.defaultSteps)
  }

  func testEveryOption() throws {
    let options = try Options([
      "--optimizers", "adam8bit,Momentum32", "--steps=12", "--seed", "18446744073709551615", "--text", "a b.txt",
      "--json", "r.json", "--svg=c.svg", "--quick", "--help",
    ])
    XCTAssertEqual(options.optimizers, ["Adam8bit", "Momentum32"])
    XCTAssertEqual(options.steps, 12)
    XCTAssertEqual(options.seed, .max)
    XCTAssertEqual(options.textPath, "a b.txt")
    XCTAssertEqual(options.jsonPath, "r.json")
    XCTAssertEqual(options.svgPath, "c.svg")
    XCTAssertTrue(options.quick && options.help)
    XCTAssertEqual(options.stepCount, 12, "a number of steps outweighs --quick")
  }

  func testQuickIsShorter() throws {
    XCTAssertLessThan(try Options(["--quick"]).stepCount, Options.defaultSteps / 2)
  }

  func testMistakesAreNamed() {
    let mistakes: [([String], String)] = [
      (["--fast"], "unknown option --fast"), (["text.txt"], "unknown option text.txt"),
      (["--steps"], "--steps needs a value"), (["--steps="], "--steps needs a value"),
      (["--steps", "0"], "--steps needs a number above 0, not 0"),
      (["--steps", "many"], "--steps needs a number above 0, not many"),
      (["--seed", "-1"], "--seed needs a whole number, 0 or more, not -1"),
      (["--quick=1"], "unknown option --quick=1"), (["--optimizers", ","], "--optimizers needs at least one name"),
    ]
    for (arguments, message) in mistakes {
      XCTAssertThrowsError(try Options(arguments), "\(arguments)") { XCTAssertEqual("\($0)", message) }
    }
    XCTAssertThrowsError(try Options(["--optimizers", "Adam32,Adam9bit"])) {
      XCTAssertTrue("\($0)".hasPrefix("no optimizer is named Adam9bit; there are Adam32, Adam8bit"), "\($0)")
    }
  }

  func testANameTwiceIsRunOnce() throws {
    XCTAssertEqual(try Options(["--optimizers", "Adam32,adam32"]).optimizers, ["Adam32"])
  }

  func testCommandRepeatsTheRun() throws {
    let given = ["--optimizers", "Adam32", "--quick", "--steps", "9", "--text", "it's here.txt", "--seed", "7"]
    XCTAssertEqual(
      try Options(given).command,
      "swift run -c release lowbit-train --optimizers Adam32 --quick --steps 9 --text 'it'\\''s here.txt' --seed 7")
    XCTAssertEqual(Options().command, "swift run -c release lowbit-train --seed 1")
  }

  func testUsageNamesEveryOption() {
    for name in ["--optimizers", "--steps", "--seed", "--text", "--json", "--svg", "--quick", "--help"] {
      XCTAssertTrue(Options.usage.contains("  \(name)"), name)
    }
  }
}
