import Foundation
import XCTest

@testable import lowbit_train

final class DigitTests: XCTestCase {
  /// One bright row: the digit says which. They are so far apart that moved pictures stay different.
  private let images = DigitImages(
    (0..<400).map { index -> DigitImages.Image in
      let digit = index / 4 % 3
      let pixels: [Float] = (0..<64).map { pixel in
        pixel / 8 == 1 + 3 * digit ? 1 : Float((index * 7 + pixel * 3) % 5) / 16
      }
      return DigitImages.Image(pixels: pixels, digit: Int32(digit))
    })

  func testReadsLines() throws {
    let lines = (0..<40).map { index in
      ((0..<64).map { "\(($0 + index) % 17)" } + ["\(index % 10)"]).joined(separator: ",")
    }
    let read = try DigitImages(path: file(lines.joined(separator: "\r\n") + "\n"))
    XCTAssertEqual(read.training.count, 30)
    XCTAssertEqual(read.validation.count, 10)
    XCTAssertEqual(read.training[3].digit, 4, "every fourth is for the check")
    XCTAssertEqual(read.training[3].pixels[0], 4.0 / 16)
    XCTAssertEqual(read.validation[0].digit, 3)
  }

  func testMistakesAreNamed() throws {
    let good = [String](repeating: "1", count: 65).joined(separator: ",")
    for bad in ["1,2,3", good + ",1", good.dropLast() + "x", good.dropLast() + "10", "17" + good.dropFirst()] {
      let path = try file(([good, good] + [String(bad)]).joined(separator: "\n"))
      XCTAssertThrowsError(try DigitImages(path: path), "\(bad)") {
        XCTAssertEqual($0 as? DigitImages.Problem, .line(path, number: 3))
      }
    }
    let short = try file(good)
    XCTAssertThrowsError(try DigitImages(path: short)) {
      XCTAssertEqual($0 as? DigitImages.Problem, .tooFew(short))
    }
    XCTAssertThrowsError(try DigitImages(path: short + ".missing")) {
      XCTAssertEqual("\($0)", "\(short).missing cannot be read as text.")
    }
  }

  func testMovedPicture() {
    let image = DigitImages.Image(pixels: (0..<64).map(Float.init), digit: 0)
    var moved = [Float](repeating: -1, count: 64)
    moved.withUnsafeMutableBufferPointer { image.write(movedBy: 1, -1, to: $0.baseAddress!) }
    XCTAssertEqual(moved[0], 0, "nothing to its left")
    XCTAssertEqual(moved[1], 8)
    XCTAssertEqual(moved[8 * 6 + 7], 8 * 7 + 6)
    XCTAssertEqual(Array(moved[56...]), [Float](repeating: 0, count: 8))
  }

  func testLearns() {
    let task = DigitTask(images, hidden: 16, seed: 1, batch: 32)
    XCTAssertLessThan(task.validationAccuracy(), 0.8)
    let run = TrainingRun(OptimizerEntry.named("Adam8bit")!, task: task, steps: 150, seed: 1)
    while !run.isFinished { run.advance() }
    XCTAssertGreaterThan(task.validationAccuracy(), 0.9)
    XCTAssertLessThan(task.validationLoss(), 0.5)
  }

  private func file(_ text: String) throws -> String {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("digits-\(UUID().uuidString).csv")
    try Data(text.utf8).write(to: url)
    addTeardownBlock { try FileManager.default.removeItem(at: url) }
    return url.path
  }
}
