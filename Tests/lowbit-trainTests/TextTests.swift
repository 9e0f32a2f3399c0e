import XCTest

@testable import lowbit_train

final class TextTests: XCTestCase {
  func testVocabularyIsInOrderOfFrequency() {
    let vocabulary = Vocabulary(of: "bbbaac")
    XCTAssertEqual(vocabulary.characters, ["b", "a", "c"])
    XCTAssertFalse(vocabulary.hasOther)
    XCTAssertEqual(vocabulary.encode("abc"), [1, 0, 2])
  }

  func testEquallyCommonCharactersAreInCodePointOrder() {
    XCTAssertEqual(Vocabulary(of: "zebra").characters, ["a", "b", "e", "r", "z"])
  }

  func testRareCharactersShareASymbol() {
    let vocabulary = Vocabulary(of: "aaaabbbccde", limit: 2)
    XCTAssertEqual(vocabulary.characters, ["a", "b"])
    XCTAssertTrue(vocabulary.hasOther)
    XCTAssertEqual(vocabulary.count, 3)
    XCTAssertEqual(vocabulary.encode("abcde"), [0, 1, 2, 2, 2])
  }

  func testALoneRareCharacterKeepsItsOwnNumber() {
    let vocabulary = Vocabulary(of: "aaabbc", limit: 2)
    XCTAssertFalse(vocabulary.hasOther)
    XCTAssertEqual(vocabulary.encode("cab"), [2, 0, 1])
  }

  func testCharactersOutsideASCII() {
    let vocabulary = Vocabulary(of: "▁▁é\u{1F600}\u{1F600}\u{1F600}")
    XCTAssertEqual(vocabulary.encode("é▁\u{1F600}"), [2, 1, 0])
  }

  func testLastTenthIsForValidation() {
    let text = TrainingText(String(repeating: "a", count: 90) + String(repeating: "b", count: 10), title: "")
    XCTAssertEqual(text.training.count, 90)
    XCTAssertEqual(Set(text.training), [0])
    XCTAssertEqual(text.validation, [Int32](repeating: 1, count: 10))
  }

  func testUnigramEntropy() {
    XCTAssertEqual(unigramEntropy([0, 1, 0, 1]), log(2), accuracy: 1e-12)
    XCTAssertEqual(unigramEntropy([5, 5, 5]), 0)
  }

  func testTargetsFollowInputs() {
    let text = (0..<50).map(Int32.init)
    var position = DataPosition(seed: 4)
    let windows = position.draw(200, from: text, context: 8)
    XCTAssertEqual(windows.inputs.count, 1600)
    XCTAssertEqual(windows.targets, windows.inputs.map { $0 + 1 })
    XCTAssertTrue(windows.inputs.contains(0), "the first character must be reachable")
    XCTAssertTrue(windows.targets.contains(49), "the last character must be reachable")
  }

  func testEvenlySpacedWindowsReachBothEnds() {
    let text = (0..<100).map(Int32.init)
    let windows = evenlySpacedWindows(4, from: text, context: 9)
    XCTAssertEqual(stride(from: 0, to: 36, by: 9).map { windows.inputs[$0] }, [0, 30, 60, 90])
    XCTAssertEqual(windows.targets, windows.inputs.map { $0 + 1 })
    XCTAssertEqual(evenlySpacedWindows(1, from: text, context: 99).inputs, Array(text.dropLast()))
  }

  func testOwnSourcesHoldThisFileAndTheProgram() throws {
    let text = try TrainingText.ownSources()
    let all = text.training + text.validation
    let content = String(
      String.UnicodeScalarView(
        all.compactMap { symbol in
          Int(symbol) < text.vocabulary.characters.count ? text.vocabulary.characters[Int(symbol)] : nil
        }))
    XCTAssertTrue(content.contains("testOwnSourcesHoldThisFile" + "AndTheProgram"))
    XCTAssertTrue(content.contains("static func own" + "Sources"))
    XCTAssertTrue(text.isLongEnough(context: 32))
  }

  func testProblemsAreSaid() throws {
    XCTAssertThrowsError(try TrainingText.load(path: "/nowhere/at-all.txt", context: 8)) {
      XCTAssertEqual($0 as? TrainingText.Problem, .unreadable("/nowhere/at-all.txt"))
    }
    XCTAssertThrowsError(try TrainingText.ownSources(of: "/nowhere/at-all.swift")) {
      XCTAssertEqual($0 as? TrainingText.Problem, .noPackage)
    }
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("short-\(UUID().uuidString).txt")
    try Data("too short".utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    XCTAssertThrowsError(try TrainingText.load(path: file.path, context: 8)) {
      XCTAssertEqual($0 as? TrainingText.Problem, .tooShort(file.lastPathComponent, count: 9, needed: 90))
    }
  }

  func testAFileIsReadAsItIs() throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("text-\(UUID().uuidString).txt")
    try Data(String(repeating: "ab", count: 100).utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let text = try TrainingText.load(path: file.path, context: 8)
    XCTAssertEqual(text.title, file.lastPathComponent)
    XCTAssertEqual(text.training + text.validation, (0..<200).map { Int32($0 % 2) })
  }
}
