import BlockQuantization
internal import TileKernels

/// A second moment of which only the means of its rows and of its columns are kept, in float32.
///
/// A tensor of two dimensions is a matrix; one of more is as many matrices of its last two dimensions as the others give.
/// With the row means R and the column means C of a matrix, an element is R[i] · C[j] divided by the mean of R, or 0 where
/// that is 0 ("Adafactor", Shazeer and Stern, section 3, as "Memory Efficient Optimizers with 4-bit States", Li, Chen and
/// Zhu, combines it with a 4-bit first moment). Memory: 4 bytes for each row and column of each matrix: 0.008 bytes a value
/// for 1024 × 1024.
///
/// ```swift
/// if case .factored(let moment)? = optimizer.quantizedMoments(of: "w")?.second { print(moment.rowMeans) }
/// ```
public struct FactoredMoment: Hashable, Sendable {
  /// The tensor's dimensions, outermost first; two or more.
  public let shape: [Int]
  /// Means of the rows of all matrices, one matrix after another.
  public let rowMeans: [Float]
  /// Means of the columns of all matrices, one matrix after another.
  public let columnMeans: [Float]

  /// Bytes of all means.
  public var byteCount: Int { 4 * (rowMeans.count + columnMeans.count) }

  /// The values that the means stand for.
  public func decode() -> [Float] {
    let matrices = MatrixShape(of: shape)
    let count = matrices.rowCount * matrices.matrixCount * matrices.columnCount
    var factors = [Float](repeating: 0, count: rowMeans.count)
    matrices.makeRowFactors(of: rowMeans, into: &factors)
    return [Float](unsafeUninitializedCapacity: count) { values, initializedCount in
      if count > 0 { KernelSet.current.multiplyMeans(factors, columnMeans, matrices, 0, count, values.baseAddress!) }
      initializedCount = count
    }
  }
}

extension MatrixShape {
  /// The matrices of a tensor of two or more dimensions.
  init(of shape: [Int]) {
    let (rows, columns) = (shape[shape.count - 2], shape[shape.count - 1])
    self.init(matrixCount: shape.dropLast(2).reduce(1, *), rowCount: rows, columnCount: columns)
  }

  /// Rows of all matrices together, and so the row means.
  var allRows: Int { matrixCount * rowCount }
  /// Columns of all matrices together, and so the column means.
  var allColumns: Int { matrixCount * columnCount }

  /// What a row's elements are of their columns' means: the row's mean by the mean of all rows, in each matrix.
  ///
  /// In a matrix that has seen no gradient that would be 0/0, a NaN in the paper's code; here it is 0.
  func makeRowFactors(of rowMeans: UnsafePointer<Float>, into factors: UnsafeMutablePointer<Float>) {
    for matrix in 0..<matrixCount {
      let rows = matrix * rowCount..<(matrix + 1) * rowCount
      var sum = 0.0
      for row in rows { sum += Double(rowMeans[row]) }
      let mean = sum / Double(rowCount)
      for row in rows { factors[row] = mean == 0 ? 0 : Float(Double(rowMeans[row]) / mean) }
    }
  }
}
