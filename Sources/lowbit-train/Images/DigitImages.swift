import Foundation
import ProgramSupport

/// Small pictures of handwritten digits: three quarters to learn from, every fourth to check with.
struct DigitImages: Sendable {
  static let side = 8
  static let pixelCount = side * side

  /// One picture: brightness from 0 to 1, row by row.
  struct Image: Equatable, Sendable {
    let pixels: [Float]
    let digit: Int32
  }

  let training: [Image]
  let validation: [Image]

  enum Problem: Error, Equatable, CustomStringConvertible {
    case unreadable(String)
    case line(String, number: Int)
    case tooFew(String)

    var description: String {
      switch self {
      case .unreadable(let path): "\(path) cannot be read as text."
      case .line(let path, let number):
        "\(path), line \(number): not \(pixelCount) pixels from 0 to 16 and a digit, with commas between them."
      case .tooFew(let path): "\(path) holds too few images to train and check a model."
      }
    }
  }

  /// Reads lines of 64 numbers from 0 to 16 and a label from 0 to 9, as in the UCI set "Optical Recognition of
  /// Handwritten Digits" (Alpaydin and Kaynak).
  init(path: String) throws(Problem) {
    guard let data = FileManager.default.contents(atPath: path), let text = String(data: data, encoding: .utf8) else {
      throw .unreadable(path)
    }
    var images: [Image] = []
    for (index, line) in text.split(whereSeparator: \.isNewline).enumerated() {
      guard let image = Image(line) else { throw .line(path, number: index + 1) }
      images.append(image)
    }
    guard images.count >= 40 else { throw .tooFew(path) }
    self.init(images)
  }

  init(_ images: [Image]) {
    training = images.indices.filter { $0 % 4 != 3 }.map { images[$0] }
    validation = images.indices.filter { $0 % 4 == 3 }.map { images[$0] }
  }
}

extension DigitImages.Image {
  fileprivate init?(_ line: Substring) {
    let numbers = line.split(separator: ",", omittingEmptySubsequences: false).map { field in
      Int32(field.trimmingCharacters(in: .whitespaces)) ?? -1
    }
    guard numbers.count == DigitImages.pixelCount + 1, (0...9).contains(numbers[DigitImages.pixelCount]),
      numbers.allSatisfy({ (0...16).contains($0) })
    else { return nil }
    self.init(pixels: numbers.dropLast().map { Float($0) / 16 }, digit: numbers[DigitImages.pixelCount])
  }

  /// Writes the picture moved right by `x` and down by `y`; what comes in from outside is dark.
  func write(movedBy x: Int, _ y: Int, to output: UnsafeMutablePointer<Float>) {
    let side = DigitImages.side
    for row in 0..<side {
      for column in 0..<side {
        let (fromRow, fromColumn) = (row - y, column - x)
        let isInside = (0..<side).contains(fromRow) && (0..<side).contains(fromColumn)
        output[row * side + column] = isInside ? pixels[fromRow * side + fromColumn] : 0
      }
    }
  }
}
