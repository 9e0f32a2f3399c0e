import XCTest

@testable import lowbit_train

final class FineTuningTextTests: XCTestCase {
  func testSecondHalfBecomesATranscript() {
    let whole = TrainingText(String(repeating: "ROMEO: Oh, you!\nnay, 7 times. ", count: 40), title: "play")
    let texts = FineTuningTexts(whole)
    XCTAssertEqual(texts.before.training, Array(whole.training[..<(whole.training.count / 2)]))
    XCTAssertEqual(texts.after.vocabulary, whole.vocabulary)
    let characters = texts.after.training.map { whole.vocabulary.characters[Int($0)] }
    let text = String(String.UnicodeScalarView(characters))
    // Capitals whose small letter the vocabulary does not hold stay: R and M are nowhere small but in "romeo"'s e, o.
    XCTAssertTrue(text.contains("oh you\nnay 7 times "), text)
    XCTAssertFalse(text.contains(where: \.isPunctuation))
    XCTAssertEqual(texts.after.title, "play, second half as a transcript")
  }

  func testTheSharedSymbolForRareCharactersGoes() {
    let rare = String(String.UnicodeScalarView((0..<200).map { Unicode.Scalar(0x4e00 + $0)! }))
    let whole = TrainingText(
      String(repeating: "abc ", count: 400) + rare + String(repeating: "abc ", count: 400), title: "")
    XCTAssertTrue(whole.vocabulary.hasOther)
    let other = Int32(whole.vocabulary.count - 1)
    XCTAssertFalse(FineTuningTexts(whole).after.training.contains(other))
  }
}
