/// The rows of a matrix that an update moves. All others keep their parameters, and 32-bit state too.
final class RowSelection {
  let rowCount: Int
  let rowLength: Int
  private var rows: [Int] = []
  private let isSelected: UnsafeMutablePointer<Bool>
  private var isSorted = true
  private var blocks: UnsafeMutableBufferPointer<Int>

  init(rowCount: Int, rowLength: Int) {
    self.rowCount = rowCount
    self.rowLength = rowLength
    isSelected = .allocate(capacity: rowCount)
    isSelected.initialize(repeating: false, count: rowCount)
    blocks = .allocate(capacity: 16)
  }

  deinit {
    isSelected.deallocate()
    blocks.deallocate()
  }

  /// Ascending.
  var selectedRows: [Int] {
    if !isSorted {
      rows.sort()
      isSorted = true
    }
    return rows
  }

  func insert(_ row: Int) {
    precondition(row >= 0 && row < rowCount)
    guard !isSelected[row] else { return }
    isSelected[row] = true
    if let last = rows.last, last > row { isSorted = false }
    rows.append(row)
  }

  func removeAll() {
    for row in rows { isSelected[row] = false }
    rows.removeAll(keepingCapacity: true)
    isSorted = true
  }

  /// What a task needs. Valid until the selection changes or another view is taken.
  func view(blockSize: Int) -> SelectedRows {
    let mostBlocks = min(
      rows.count * (rowLength / blockSize + 2), (rowCount * rowLength + blockSize - 1) / blockSize)
    if blocks.count < mostBlocks {
      blocks.deallocate()
      blocks = .allocate(capacity: mostBlocks)
    }
    var blockCount = 0
    var next = 0
    for row in selectedRows {
      let last = (row * rowLength + rowLength - 1) / blockSize
      var block = max(next, row * rowLength / blockSize)
      while block <= last {
        blocks.initializeElement(at: blockCount, to: block)
        blockCount += 1
        block += 1
      }
      next = max(next, last + 1)
    }
    return SelectedRows(
      isSelected: isSelected, rowLength: rowLength, blocks: UnsafePointer(blocks.baseAddress!), blockCount: blockCount)
  }
}

/// A row selection as the step's inner loop sees it.
struct SelectedRows {
  let isSelected: UnsafePointer<Bool>
  let rowLength: Int
  /// The blocks that hold an element of a selected row, ascending.
  let blocks: UnsafePointer<Int>
  let blockCount: Int

  /// Calls `body` with the elements of `range` that belong to selected rows, neighbouring rows in one go.
  @inline(__always)
  func forEachPart(of range: Range<Int>, _ body: (Range<Int>) -> Void) {
    var start = range.lowerBound
    while start < range.upperBound {
      var row = start / rowLength
      let isSelected = isSelected[row]
      var end = (row + 1) * rowLength
      while end < range.upperBound && self.isSelected[row + 1] == isSelected {
        row += 1
        end += rowLength
      }
      end = min(end, range.upperBound)
      if isSelected { body(start..<end) }
      start = end
    }
  }
}
