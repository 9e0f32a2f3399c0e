import ProgramSupport
import XCTest

@testable import lowbit_bench

final class OptionsTests: XCTestCase {
  func testDefaults() throws {
    let options = try Options([])
    XCTAssertEqual(options, Options())
    XCTAssertEqual(options.elements, 1 << 24)
    XCTAssertEqual(options.sections, Section.allCases)
    XCTAssertEqual(options.command, "swift run -c release lowbit-bench")
  }

  func testEveryOption() throws {
    let options = try Options([
      "--filter", "adam8", "--elements=2^12", "--threads", "1", "--kernels", "portable", "--rounds=3",
      "--sections", "sizes,steps,sizes", "--json", "a b.json", "--svg=c.svg", "--help",
    ])
    XCTAssertEqual(options.filter, "adam8")
    XCTAssertEqual(options.elements, 4096)
    XCTAssertEqual(options.threads, 1)
    XCTAssertEqual(options.kernels, "portable")
    XCTAssertEqual(options.rounds, 3)
    XCTAssertEqual(options.sections, [.steps, .sizes], "in the report's order, each once")
    XCTAssertEqual(options.jsonPath, "a b.json")
    XCTAssertEqual(options.svgPath, "c.svg")
    XCTAssertTrue(options.help)
  }

  func testNumbers() throws {
    for (text, number) in [("1", 1), ("1000", 1000), ("2^26", 67_108_864), ("10^3", 1000), ("3^2", 9), ("2^0", 1)] {
      XCTAssertEqual(try Options(["--elements", text]).elements, number, text)
    }
    let wrong = [
      "0", "-1", "2^", "^2", "^", "2^^3", "2^-1", "1^5", "0^2", "2^62", "2^63", "9^60", "1e6", "1,000", " 1",
    ]
    for text in wrong + ["99999999999999999999", "2^2^2"] {
      XCTAssertThrowsError(try Options(["--elements", text]), text)
    }
  }

  func testMistakesAreNamed() {
    let sections = "roof,steps,kernels,stages,threads,sizes,batch"
    let mistakes: [([String], String)] = [
      (["--fast"], "unknown option --fast"), (["Adam8bit"], "unknown option Adam8bit"),
      (["--help=yes"], "unknown option --help=yes"), (["--rounds"], "--rounds needs a value"),
      (["--filter="], "--filter needs a value"),
      (["--rounds", "no"], "--rounds needs a number from 1 to 1000000, such as 1000 or 2^10, not no"),
      (["--sections", "steps,all"], "no section is named all; there are \(sections)"),
      (["--sections", ","], "--sections needs at least one of \(sections)"),
      (["--svg", "a.svg", "--sections", "roof"], "--svg draws the section steps, which is left out"),
    ]
    for (arguments, message) in mistakes {
      XCTAssertThrowsError(try Options(arguments)) { XCTAssertEqual("\($0)", message) }
    }
  }

  func testCommandReadsBack() throws {
    let arguments = [
      "--filter", "it's 8", "--elements", "2^20", "--threads", "2", "--kernels", "avx2", "--rounds", "7",
      "--sections", "roof,batch",
    ]
    XCTAssertEqual(
      try Options(arguments).command,
      "swift run -c release lowbit-bench --filter 'it'\\''s 8' --elements 2^20 --threads 2 --kernels avx2 --rounds 7 "
        + "--sections roof,batch")
  }

  func testPlanRefusesWhatTheMachineCannotDo() throws {
    for arguments in [["--kernels", "abacus"], ["--filter", "Adam7bit"]] {
      XCTAssertThrowsError(try Plan(Options(arguments))) { XCTAssertTrue("\($0)".contains(arguments[1]), "\($0)") }
    }
    XCTAssertEqual(try Plan(Options(["--kernels", "portable"])).kernelSets.map(\.name), ["portable"])
    let plan = try Plan(Options())
    XCTAssertEqual(plan.threads, Machine.threads)
    XCTAssertEqual(plan.sizes.first, 1 << 12)
    XCTAssertLessThanOrEqual(plan.sizes.last!, 1 << 27)
  }

  func testUsageNamesEveryOption() {
    for name in ["filter", "elements", "threads", "kernels", "rounds", "sections", "json", "svg", "help"] {
      XCTAssertTrue(Options.usage.contains("--\(name) "), name)
    }
  }
}
