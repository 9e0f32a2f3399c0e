import BlockQuantization
import TestSupport
import XCTest

@testable import LowBitOptimizers

/// What storing the moments in few bits does to the next update, on gradients whose rows and columns differ by orders of
/// magnitude.
final class NextUpdateTests: XCTestCase {
  private let side = 256

  private enum Structure: String, CaseIterable {
    case alike, rowsAndColumns, outlierColumns
  }

  /// The typical magnitude of each element's gradient.
  private func magnitudes(_ structure: Structure, _ generator: inout SeededGenerator) -> [Float] {
    let rows = (0..<side).map { _ in structure == .rowsAndColumns ? exp2(2.9 * generator.normal()) : 1 }
    let columns = (0..<side).map { column -> Float in
      switch structure {
      case .alike: 1
      case .rowsAndColumns: exp2(2.9 * generator.normal())
      case .outlierColumns: column % 100 == 7 ? 100 : 1
      }
    }
    return rows.flatMap { row in columns.map { row * $0 * 1e-3 } }
  }

  /// Mean magnitude of the next update, and its error, both relative to that from exact moments.
  private func nextUpdate(
    _ optimizer: LowBitOptimizer, _ exact: [Float], _ gradient: [Float]
  ) -> (magnitude: Float, error: Float) {
    var moved = [Float](repeating: 0, count: exact.count)
    optimizer.update("p", &moved, along: gradient)
    let sum = exact.reduce(Float(0)) { $0 + $1.magnitude }
    let squares = exact.reduce(Float(0)) { $0 + $1 * $1 }
    let error = zip(moved, exact).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return (moved.reduce(0) { $0 + $1.magnitude } / sum, (error / squares).squareRoot())
  }

  func testNoDefaultStepsMuchFurtherThanExactMoments() throws {
    var generator = SeededGenerator()
    let count = side * side
    for structure in Structure.allCases {
      let magnitudes = magnitudes(structure, &generator)
      func gradient() -> [Float] { magnitudes.map { $0 * generator.normal() } }
      let exact = Adam32(learningRate: 1)
      var parameter = [Float](repeating: 0, count: count)
      for _ in 0..<200 { exact.update("p", &parameter, along: gradient(), shape: [side, side]) }

      let optimizers: [(String, AdamOptimizer)] = [
        ("Adam8bit", Adam8bit(converting: exact)), ("Adam4bit", Adam4bit(converting: exact)),
        ("4 bits per block", AdamMixed(converting: exact, firstMoment: .dynamic4, secondMoment: .linear4PerBlock)),
        ("4 and 2 bits", AdamMixed(converting: exact, firstMoment: .dynamic4, secondMoment: .logarithmic2)),
        ("Adam3bit", Adam3bit(converting: exact)), ("Adam2bit", Adam2bit(converting: exact)),
      ]
      let next = gradient()
      var update = [Float](repeating: 0, count: count)
      exact.update("p", &update, along: next)
      for (name, optimizer) in optimizers {
        XCTAssertEqual(optimizer.report().entries.map(\.reason), [.largeEnough])
        let (magnitude, error) = nextUpdate(optimizer, update, next)
        print("\(structure.rawValue), \(name): \(magnitude) of the exact update, with a relative error of \(error)")
        XCTAssertLessThanOrEqual(magnitude, 2, "\(structure.rawValue) \(name)")
        XCTAssertGreaterThan(magnitude, 0.03, "\(structure.rawValue) \(name)")
      }
    }
  }
}
