/// A view of floats as a matrix. Steps between rows and columns are free, so a transpose or one attention head
/// inside a wider row costs nothing.
struct Matrix {
  let start: UnsafePointer<Float>
  let rows: Int
  let columns: Int
  let rowStep: Int
  let columnStep: Int

  init(_ start: UnsafePointer<Float>, rows: Int, columns: Int, rowStep: Int? = nil) {
    self.init(start, rows: rows, columns: columns, rowStep: rowStep ?? columns, columnStep: 1)
  }

  private init(_ start: UnsafePointer<Float>, rows: Int, columns: Int, rowStep: Int, columnStep: Int) {
    self.start = start
    self.rows = rows
    self.columns = columns
    self.rowStep = rowStep
    self.columnStep = columnStep
  }

  var transposed: Matrix {
    Matrix(start, rows: columns, columns: rows, rowStep: columnStep, columnStep: rowStep)
  }
}

/// Memory that holds eight columns of the right-hand matrix side by side while they are being used.
///
/// One per worker: two products must not share it at the same time.
final class ColumnPanel {
  fileprivate let start: UnsafeMutablePointer<Float>
  private let depth: Int

  /// `depth`: the most rows that a right-hand matrix will have.
  init(depth: Int) {
    self.depth = depth
    start = .allocate(capacity: depth * 8)
    start.initialize(repeating: 0, count: depth * 8)
  }

  deinit { start.deallocate() }

  /// Copies columns `first ..< first + 8`, with zeros where the matrix ends.
  fileprivate func fill(from matrix: Matrix, first: Int) {
    precondition(matrix.rows <= depth, "a matrix of \(matrix.rows) rows does not fit a panel of \(depth)")
    let width = min(8, matrix.columns - first)
    let source = matrix.start + first * matrix.columnStep
    if width == 8 && matrix.columnStep == 1 {
      for k in 0..<matrix.rows { start.setLanes(k * 8, (source + k * matrix.rowStep).lanes(0)) }
      return
    }
    for column in 0..<8 {
      let from = source + column * matrix.columnStep
      for k in 0..<matrix.rows { start[k * 8 + column] = column < width ? from[k * matrix.rowStep] : 0 }
    }
  }
}

/// `result = left · right`, or `result += left · right` when `adding`.
///
/// `result` has `left.rows` rows of `right.columns` values, `resultStep` apart. Each value is one sum over the inner
/// dimension from first to last, whatever the sizes, so results never depend on how work is split.
/// Four rows by eight columns of sums stay in registers: more would not fit the sixteen of plain x86-64.
func multiply(
  _ left: Matrix, _ right: Matrix, into result: UnsafeMutablePointer<Float>, resultStep: Int? = nil,
  adding: Bool = false, panel: ColumnPanel
) {
  precondition(left.columns == right.rows, "inner sizes differ: \(left.columns) and \(right.rows)")
  let resultStep = resultStep ?? right.columns
  for column in stride(from: 0, to: right.columns, by: 8) {
    panel.fill(from: right, first: column)
    let width = min(8, right.columns - column)
    var row = 0
    while row + 4 <= left.rows {
      let sums = fourRows(left, row, panel.start)
      store(sums.0, result + row * resultStep + column, width, adding)
      store(sums.1, result + (row + 1) * resultStep + column, width, adding)
      store(sums.2, result + (row + 2) * resultStep + column, width, adding)
      store(sums.3, result + (row + 3) * resultStep + column, width, adding)
      row += 4
    }
    while row < left.rows {
      store(oneRow(left, row, panel.start), result + row * resultStep + column, width, adding)
      row += 1
    }
  }
}

@inline(__always)
private func fourRows(
  _ left: Matrix, _ row: Int, _ panel: UnsafeMutablePointer<Float>
) -> (Lanes, Lanes, Lanes, Lanes) {
  var sum0 = Lanes()
  var sum1 = Lanes()
  var sum2 = Lanes()
  var sum3 = Lanes()
  let step = left.rowStep
  var a = left.start + row * step
  var b = UnsafeRawPointer(panel)
  for _ in 0..<left.columns {
    let columns = b.loadUnaligned(as: Lanes.self)
    sum0 += columns * a[0]
    sum1 += columns * a[step]
    sum2 += columns * a[2 * step]
    sum3 += columns * a[3 * step]
    a += left.columnStep
    b += 32
  }
  return (sum0, sum1, sum2, sum3)
}

@inline(__always)
private func oneRow(_ left: Matrix, _ row: Int, _ panel: UnsafeMutablePointer<Float>) -> Lanes {
  var sum = Lanes()
  var a = left.start + row * left.rowStep
  for k in 0..<left.columns {
    sum += panel.lanes(k * 8) * a.pointee
    a += left.columnStep
  }
  return sum
}

@inline(__always)
private func store(_ sums: Lanes, _ target: UnsafeMutablePointer<Float>, _ width: Int, _ adding: Bool) {
  if width == 8 {
    target.setLanes(0, adding ? target.lanes(0) + sums : sums)
  } else {
    for lane in 0..<width { target[lane] = adding ? target[lane] + sums[lane] : sums[lane] }
  }
}
