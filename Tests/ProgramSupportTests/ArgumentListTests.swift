import XCTest

@testable import ProgramSupport

final class ArgumentListTests: XCTestCase {
  func testBothWaysToGiveAValue() throws {
    var arguments = ArgumentList(["--steps", "1", "--text=a=b", "--quick"])
    XCTAssertEqual(arguments.nextName(), "--steps")
    XCTAssertEqual(try arguments.value(), "1")
    XCTAssertEqual(arguments.nextName(), "--text")
    XCTAssertFalse(arguments.isFlag)
    XCTAssertEqual(try arguments.value(), "a=b")
    XCTAssertEqual(arguments.nextName(), "--quick")
    XCTAssertTrue(arguments.isFlag)
    XCTAssertNil(arguments.nextName())
  }

  func testMissingValuesAndUnknownOptions() {
    for list in [["--steps"], ["--steps="], ["--steps", ""]] {
      var arguments = ArgumentList(list)
      XCTAssertEqual(arguments.nextName(), "--steps")
      XCTAssertThrowsError(try arguments.value(), "\(list)") { XCTAssertEqual("\($0)", "--steps needs a value") }
    }
    var arguments = ArgumentList(["--fast=1"])
    _ = arguments.nextName()
    XCTAssertEqual("\(arguments.unknownOption)", "unknown option --fast=1")
  }

  func testShellQuoting() {
    for plain in ["Adam8bit", "a-1+2", "./a/b_c.txt"] {
      XCTAssertEqual(plain.shellQuoted, plain)
    }
    XCTAssertEqual("it's here".shellQuoted, "'it'\\''s here'")
    XCTAssertEqual("\u{e9}".shellQuoted, "'\u{e9}'")
  }
}
