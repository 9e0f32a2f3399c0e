import LowBitOptimizers

/// Leaves of a second moment the means of its rows and of its columns ("Adafactor", Shazeer and Stern, section 3): an
/// element is the product of its row's and its column's mean by the mean of all. What is no matrix is kept in 32 bits.
struct FactoredRounding: MomentRounding {
  func byteCount(of shape: [Int]) -> Int {
    4 * (takesRowsAndColumns(shape) ? shape.reduce(0, +) : shape.reduce(1, *))
  }

  func round(_ matrix: UnsafeMutableBufferPointer<Float>, of moment: RoundedMoment) {
    guard takesRowsAndColumns(moment.shape) else { return }
    guard moment.shape.count == 2 else { fatalError("rows and columns of a tensor of shape \(moment.shape)") }
    let (rows, columns) = (moment.shape[0], moment.shape[1])
    var (rowSums, columnSums) = ([Double](repeating: 0, count: rows), [Double](repeating: 0, count: columns))
    for row in 0..<rows {
      for column in 0..<columns {
        let value = Double(matrix[row * columns + column])
        rowSums[row] += value
        columnSums[column] += value
      }
    }
    let total = rowSums.reduce(0, +)
    for row in 0..<rows {
      // Zero by zero where no element has had a gradient.
      let share = total > 0 ? rowSums[row] / total : 0
      for column in 0..<columns { matrix[row * columns + column] = Float(share * columnSums[column]) }
    }
  }
}
