import TestSupport
import TileKernels
import XCTest

@testable import BlockQuantization

/// The stages of second moments that are means of rows and columns, in every kernel set, against plain loops.
final class FactoredKernelTests: XCTestCase {
  private let special: [Float] = [
    0, -0.0, .leastNonzeroMagnitude, .leastNormalMagnitude, 1e-30, -1e-10, 1, 1e25, -.greatestFiniteMagnitude,
  ]

  private func constants(decay: Float) -> AdamConstants {
    AdamConstants(
      beta1: 0.9, oneMinusBeta1: 0.1, beta2: 0.999, oneMinusBeta2: 0.001, stepSize: 1e-3, scaledEpsilon: 3e-10,
      coupledDecay: decay, decoupledDecay: 1e-5)
  }

  private func values(_ count: Int, _ generator: inout SeededGenerator) -> [Float] {
    (0..<count).map { $0 % 11 == 5 ? special[$0 % special.count] : generator.wideRange() }
  }

  /// The sum that folding in halves makes.
  private func folded(_ values: [Double]) -> Double {
    var values = values
    while values.count > 1 {
      let half = values.count / 2
      for i in 0..<half { values[i] += values[values.count - half + i] }
      values.removeLast(half)
    }
    return values.first ?? 0
  }

  func testSumsOfSquaresAtEveryLengthAndAlignment() {
    var generator = SeededGenerator()
    for columnCount in Array(0...70) + [127, 128, 129, 1000, 1024] {
      let rowCount = columnCount % 4 + 1
      let stride = columnCount + columnCount % 3
      let offset = columnCount % 5
      let parameters = values(offset + rowCount * stride + 1, &generator)
      let gradients = values(offset + rowCount * stride + 1, &generator)
      for decay in [Float(0), 0.01] {
        var rows = (0..<rowCount).map { Double($0) }
        var columns = (0..<columnCount).map { 0.5 * Double($0) }
        let (rowsBefore, columnsBefore) = (rows, columns)
        for row in 0..<rowCount {
          let squares = (0..<columnCount).map { column in
            let index = offset + row * stride + column
            let g = Double(decay == 0 ? gradients[index] : gradients[index] + decay * parameters[index])
            return g * g
          }
          for column in 0..<columnCount { columns[column] += squares[column] }
          rows[row] += folded(squares)
        }
        for kernels in KernelSet.available {
          var (foundRows, foundColumns) = (rowsBefore, columnsBefore)
          var squares = [Double](repeating: -1, count: columnCount + 1)
          parameters.withUnsafeBufferPointer { p in
            gradients.withUnsafeBufferPointer { g in
              kernels.addSquares(
                p.baseAddress! + offset, g.baseAddress! + offset,
                MatrixPart(rowCount: rowCount, columnCount: columnCount, stride: stride), &foundRows, &foundColumns,
                &squares, constants(decay: decay))
            }
          }
          let what = "\(kernels.name), \(columnCount) columns, decay \(decay)"
          XCTAssertTrue(foundRows == rows, what)
          XCTAssertTrue(foundColumns == columns, what)
          XCTAssertEqual(squares[columnCount], -1, what)
        }
      }
    }
  }

  func testProductsOfMeans() {
    var generator = SeededGenerator()
    for shape in [
      MatrixShape(matrixCount: 1, rowCount: 7, columnCount: 60), .init(matrixCount: 3, rowCount: 5, columnCount: 33),
      .init(matrixCount: 40, rowCount: 1, columnCount: 9), .init(matrixCount: 9, rowCount: 40, columnCount: 1),
      .init(matrixCount: 1, rowCount: 2, columnCount: 999),
    ] {
      let factors = values(shape.matrixCount * shape.rowCount, &generator).map(\.magnitude)
      let means = values(shape.matrixCount * shape.columnCount, &generator).map(\.magnitude)
      let all = (0..<factors.count * shape.columnCount).map { index in
        let matrix = index / (shape.rowCount * shape.columnCount)
        let product = factors[index / shape.columnCount] * means[matrix * shape.columnCount + index % shape.columnCount]
        return min(product, .greatestFiniteMagnitude)
      }
      for start in [0, 1, 32, 59, 60, 128, 255] {
        for count in [0, 1, 2, 7, 31, 64, 127, 128] where start + count <= all.count {
          for kernels in KernelSet.available {
            var found = [Float](repeating: -1, count: count + 1)
            kernels.multiplyMeans(factors, means, shape, start, count, &found)
            XCTAssertTrue(found == all[start..<start + count] + [-1], "\(kernels.name) \(shape) \(start) \(count)")
          }
        }
      }
    }
  }

  /// With the second moments that the whole rule makes, the rule without them does the same.
  func testTheRuleWithGivenSecondMoments() {
    var generator = SeededGenerator()
    for count in Array(0...70) + [127, 128, 1001] {
      let offset = count % 5
      let p = values(count + offset, &generator).map { max(-1e30, min($0, 1e30)) }
      let g = values(count + offset, &generator).map { max(-1e30, min($0, 1e30)) }
      let m = values(count + offset, &generator).map { max(-1e30, min($0, 1e30)) }
      let v = (0..<count + offset).map { $0 % 7 == 3 ? 0 : generator.wideRange().magnitude }
      for decay in [Float(0), 0.01] {
        for kernels in KernelSet.available {
          var (expectedP, expectedM, newV) = (p, m, v)
          let expected = expectedP.withUnsafeMutableBufferPointer { p in
            expectedM.withUnsafeMutableBufferPointer { m in
              newV.withUnsafeMutableBufferPointer { v in
                g.withUnsafeBufferPointer { g in
                  KernelSet.portable.adam(
                    p.baseAddress! + offset, g.baseAddress! + offset, m.baseAddress! + offset, v.baseAddress! + offset,
                    count, constants(decay: decay))
                }
              }
            }
          }
          var (foundP, foundM) = (p, m)
          let found = foundP.withUnsafeMutableBufferPointer { p in
            foundM.withUnsafeMutableBufferPointer { m in
              newV.withUnsafeBufferPointer { v in
                g.withUnsafeBufferPointer { g in
                  kernels.adamWithSecondMoments(
                    p.baseAddress! + offset, g.baseAddress! + offset, m.baseAddress! + offset, v.baseAddress! + offset,
                    count, constants(decay: decay))
                }
              }
            }
          }
          let what = "\(kernels.name), \(count) elements, decay \(decay)"
          XCTAssertEqual(found.bitPattern, expected.first.bitPattern, what)
          XCTAssertTrue(foundP.map(\.bitPattern) == expectedP.map(\.bitPattern), what)
          XCTAssertTrue(foundM.map(\.bitPattern) == expectedM.map(\.bitPattern), what)
        }
      }
    }
  }

  /// What float32 cannot hold: a mean of infinities saturates, that of a NaN counts as none.
  func testMovingAveragesOfMeans() {
    let constants = constants(decay: 0)
    XCTAssertEqual(constants.mean(2, 3), 0.999 * 2 + 0.001 * 3)
    XCTAssertEqual(constants.mean(0, 1e77), 0.001 * .greatestFiniteMagnitude)
    XCTAssertEqual(constants.mean(0, .infinity), 0.001 * .greatestFiniteMagnitude)
    XCTAssertEqual(constants.mean(2, .nan), 0.999 * 2)
    XCTAssertTrue(constants.mean(.greatestFiniteMagnitude, .infinity).isFinite)
  }
}
