import BlockQuantization
internal import TileKernels

/// The memory of a second moment that is kept as means of rows and columns.
///
/// A step goes over the gradient twice: the first pass makes the new means; the second moves the parameters, with second
/// moments that it multiplies from them block by block.
final class FactoredStorage {
  private let shape: [Int]
  /// The row means, and then the column means.
  private let means: UnsafeMutableBufferPointer<Float>
  let memory: FactoredMemory

  init(zeros shape: [Int]) {
    self.shape = shape
    let matrices = MatrixShape(of: shape)
    let count = matrices.allRows + matrices.allColumns
    let start = StateMemory.allocate(byteCount: 4 * count).bindMemory(to: Float.self, capacity: count)
    start.initialize(repeating: 0, count: count)
    means = UnsafeMutableBufferPointer(start: start, count: count)
    memory = FactoredMemory(matrices: matrices, rowMeans: start, columnMeans: start + matrices.allRows)
  }

  deinit { UnsafeMutableRawPointer(means.baseAddress)?.deallocate() }

  var byteCount: Int { 4 * means.count }

  var rowMeans: UnsafeMutableBufferPointer<Float> { .init(rebasing: means[..<memory.matrices.allRows]) }
  var columnMeans: UnsafeMutableBufferPointer<Float> { .init(rebasing: means[memory.matrices.allRows...]) }

  func moment() -> FactoredMoment {
    FactoredMoment(shape: shape, rowMeans: Array(rowMeans), columnMeans: Array(columnMeans))
  }

  /// Keeps the means of other values. An infinity, which float32 state can hold, counts as the greatest finite value.
  func encode(_ values: [Float]) {
    let matrices = memory.matrices
    let greatest = Float.greatestFiniteMagnitude
    var columnSums = [Double](repeating: 0, count: matrices.columnCount)
    for matrix in 0..<matrices.matrixCount {
      for column in columnSums.indices { columnSums[column] = 0 }
      for row in matrix * matrices.rowCount..<(matrix + 1) * matrices.rowCount {
        var rowSum = 0.0
        for column in columnSums.indices {
          let value = Double(min(values[row * matrices.columnCount + column], greatest))
          rowSum += value
          columnSums[column] += value
        }
        memory.rowMeans[row] = Float(rowSum / Double(matrices.columnCount))
      }
      for column in columnSums.indices {
        memory.columnMeans[matrix * matrices.columnCount + column] =
          Float(columnSums[column] / Double(matrices.rowCount))
      }
    }
  }
}

/// Means of rows and columns as the step's inner loop sees them.
struct FactoredMemory {
  let matrices: MatrixShape
  let rowMeans: UnsafeMutablePointer<Float>
  let columnMeans: UnsafeMutablePointer<Float>
}
