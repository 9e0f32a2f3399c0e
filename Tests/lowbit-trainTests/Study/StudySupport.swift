import Foundation
import XCTest

@testable import lowbit_train

/// A study that takes a moment.
enum SmallStudy {
  static let material: StudyMaterial = {
    let text = TrainingText(
      String(repeating: "She sells sea shells by the sea shore; the shells she sells are sea shells. ", count: 40),
      title: "shells")
    let images = (0..<80).map { index -> DigitImages.Image in
      let bright = index / 4 % 8
      let pixels: [Float] = (0..<64).map { pixel in pixel / 8 == bright ? 1 : 0 }
      return DigitImages.Image(pixels: pixels, digit: Int32(bright))
    }
    return StudyMaterial(
      text: text, digits: DigitImages(images),
      characterSizes: CharacterModelSizes(
        vocabulary: text.vocabulary.count, context: 8, width: 8, heads: 2, blocks: 1),
      wordSizes: WordModelSizes(vocabulary: 200, context: 2, width: 32, hidden: 16, classes: 6), words: 20_000)
  }()

  static func outcome(
    loss: Double, accuracy: Double? = nil, largest: Double = 2, seconds: Double = 1
  ) -> RunOutcome {
    RunOutcome(
      steps: 10, losses: [4, 2, loss], startLoss: 4, largestLoss: largest, validationLoss: loss,
      validationAccuracy: accuracy, guessingLoss: 3, stateBytes: 100, parameterCount: 50, seconds: seconds)
  }
}

extension XCTestCase {
  /// A new folder that goes when the test ends.
  func temporaryFolder() -> String {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("study-\(UUID().uuidString)")
    addTeardownBlock { try? FileManager.default.removeItem(at: url) }
    return url.path
  }
}
