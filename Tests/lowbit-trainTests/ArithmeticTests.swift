import Foundation
import XCTest

@testable import lowbit_train

final class ArithmeticTests: XCTestCase {
  /// All sizes around the register block of 4 by 8, transposed or not, adding or not.
  func testMatrixProductAtOddSizes() {
    var random = TestValues()
    let panel = ColumnPanel(depth: 20)
    for (rows, inner, columns) in [(1, 1, 1), (3, 5, 7), (4, 8, 8), (5, 9, 17), (8, 20, 16), (6, 3, 15)] {
      let (a, b, start) = (random.array(rows * inner), random.array(inner * columns), random.array(rows * columns))
      for variant in 0..<8 {
        let (turnLeft, turnRight, adding) = (variant & 1 != 0, variant & 2 != 0, variant & 4 != 0)
        var expected = adding ? doubles(start) : [Double](repeating: 0, count: rows * columns)
        for i in 0..<rows {
          for j in 0..<columns {
            for k in 0..<inner {
              let left = a[turnLeft ? k * rows + i : i * inner + k]
              let right = b[turnRight ? j * inner + k : k * columns + j]
              expected[i * columns + j] += Double(left) * Double(right)
            }
          }
        }
        var result = start
        a.withUnsafeBufferPointer { a in
          b.withUnsafeBufferPointer { b in
            let left =
              turnLeft
              ? Matrix(a.baseAddress!, rows: inner, columns: rows).transposed
              : Matrix(a.baseAddress!, rows: rows, columns: inner)
            let right =
              turnRight
              ? Matrix(b.baseAddress!, rows: columns, columns: inner).transposed
              : Matrix(b.baseAddress!, rows: inner, columns: columns)
            multiply(left, right, into: &result, adding: adding, panel: panel)
          }
        }
        assertClose("\(rows)x\(inner)x\(columns) variant \(variant)", result, expected, tolerance: 1e-6)
      }
    }
  }

  func testMatrixProductWritesOnlyItsOwnColumns() {
    let ones = [Float](repeating: 1, count: 6)
    var wide = [Float](repeating: 9, count: 2 * 5)
    ones.withUnsafeBufferPointer { ones in
      let left = Matrix(ones.baseAddress!, rows: 2, columns: 2)
      let right = Matrix(ones.baseAddress!, rows: 2, columns: 3)
      multiply(left, right, into: &wide, resultStep: 5, panel: ColumnPanel(depth: 2))
    }
    XCTAssertEqual(wide, [2, 2, 2, 9, 9, 2, 2, 2, 9, 9])
  }

  func testExponential() {
    for x in stride(from: Float(-86.9), through: 87.9, by: 0.37) {
      let result = exponential(Lanes(repeating: x))[5]
      XCTAssertEqual(Double(result) / exp(Double(x)), 1, accuracy: 3e-7, "at \(x)")
    }
    let special = exponential(Lanes(0, -87.5, -1000, -.infinity, .nan, 1, 200, -0.0))
    XCTAssertEqual(special[0], 1)
    XCTAssertEqual([special[1], special[2], special[3]], [0, 0, 0])
    XCTAssertTrue(special[4].isNaN)
    XCTAssertTrue(special[6].isFinite)
    XCTAssertEqual(special[7], 1)
  }

  func testSoftmaxOfLargeScores() {
    var row: [Float] = [1000, 1001, 999, -1e30, 1000, 1000, 1000, 1000, 1000, 1001]
    softmax(&row, count: row.count)
    let sum = 6.0 + 2 * M_E + 1 / M_E
    XCTAssertEqual(Double(row[1]), M_E / sum, accuracy: 1e-6)
    XCTAssertEqual(Double(row[9]), M_E / sum, accuracy: 1e-6)
    XCTAssertEqual(Double(row[2]), 1 / M_E / sum, accuracy: 1e-6)
    XCTAssertEqual(row[3], 0)
    XCTAssertEqual(row.reduce(0, +), 1, accuracy: 1e-6)
  }

  func testSumOfSquaresAndAdd() {
    var random = TestValues()
    for count in [1, 7, 8, 9, 31] {
      let (a, b) = (random.array(count), random.array(count))
      XCTAssertEqual(sumOfSquares(a, count: count), a.reduce(0) { $0 + Double($1) * Double($1) }, accuracy: 1e-12)
      var sum = a
      add(b, to: &sum, count: count)
      XCTAssertEqual(sum, zip(a, b).map { $0 + $1 })
    }
  }
}
