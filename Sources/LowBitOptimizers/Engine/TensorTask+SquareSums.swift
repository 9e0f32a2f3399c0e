internal import TileKernels

// Means of rows and columns are found by a pass of their own, before the first block is updated.

extension TensorTask {
  /// The tiles of a task with a factored second moment; nil for others.
  var tiles: MatrixTiles? {
    if case .factored(let memory) = second { MatrixTiles(memory.matrices) } else { nil }
  }

  /// Makes the sums of one tile, without the blocks that are skipped.
  ///
  /// - Parameters:
  ///   - squares: memory for a row of a tile.
  ///   - noteSkip: called with each row's elements that belong to a skipped block.
  func sumSquares(
    ofTile index: Int, _ tiles: MatrixTiles, squares: UnsafeMutablePointer<Double>, _ kernels: KernelSet,
    noteSkip: (MatrixTile, _ row: Int, _ columns: Range<Int>) -> Void
  ) {
    guard case .adam(let constants) = constants, let sums else { return }
    let tile = tiles[index]
    let stride = tiles.matrices.columnCount
    let (rowSums, columnSums) = (sums.rowSums + tile.rowSums, sums.columnSums + tile.columnSums)
    rowSums.update(repeating: 0, count: tile.rows.count)
    columnSums.update(repeating: 0, count: tile.columns.count)

    func add(row: Int, rowCount: Int, columns: Range<Int>) {
      let start = elementIndex(tile, tiles, row: row, column: columns.lowerBound)
      let part = MatrixPart(rowCount: rowCount, columnCount: columns.count, stride: stride)
      kernels.addSquares(
        parameters + start, gradients + start, part, rowSums + (row - tile.rows.lowerBound),
        columnSums + (columns.lowerBound - tile.columns.lowerBound), squares, constants)
    }

    // Rows that follow each other in memory are scanned together, as many as a first-level cache holds.
    let rowsTogether = tiles.stripCount == 1 ? max(1, 4096 / stride) : 1
    var row = tile.rows.lowerBound
    while row < tile.rows.upperBound {
      let rows = row..<min(row + rowsTogether, tile.rows.upperBound)
      row = rows.upperBound
      let start = elementIndex(tile, tiles, row: rows.lowerBound, column: tile.columns.lowerBound)
      let end = start + (rows.count - 1) * stride + tile.columns.count
      if areFinite(blocksOf: start..<end, kernels) {
        add(row: rows.lowerBound, rowCount: rows.count, columns: tile.columns)
        continue
      }
      for row in rows {
        forEachBlock(of: tile, tiles, row: row) { columns, start in
          if areFinite(blocksOf: start..<start + 1, kernels) {
            add(row: row, rowCount: 1, columns: columns)
          } else {
            noteSkip(tile, row, columns)
          }
        }
      }
    }
  }

  private func elementIndex(_ tile: MatrixTile, _ tiles: MatrixTiles, row: Int, column: Int) -> Int {
    (tile.matrix * tiles.matrices.rowCount + row) * tiles.matrices.columnCount + column
  }

  /// Whether all gradients are finite in the blocks that hold these elements.
  private func areFinite(blocksOf elements: Range<Int>, _ kernels: KernelSet) -> Bool {
    let start = elements.lowerBound / blockSize * blockSize
    let end = min((elements.upperBound + blockSize - 1) / blockSize * blockSize, count)
    return kernels.absmax(gradients + start, end - start) < .infinity
  }

  /// Calls `body` with the columns of a tile's row that lie in one block each, and with their first element's index.
  private func forEachBlock(of tile: MatrixTile, _ tiles: MatrixTiles, row: Int, _ body: (Range<Int>, Int) -> Void) {
    var column = tile.columns.lowerBound
    while column < tile.columns.upperBound {
      let start = elementIndex(tile, tiles, row: row, column: column)
      let end = min(column + blockSize - start % blockSize, tile.columns.upperBound)
      body(column..<end, start)
      column = end
    }
  }

  /// Counts the elements of a skipped block. Called under the engine's lock.
  func countSkip(_ tile: MatrixTile, _ tiles: MatrixTiles, row: Int, columns: Range<Int>) {
    guard let sums else { return }
    sums.rowSkips[tile.matrix * tiles.matrices.rowCount + row] += Int32(columns.count)
    for column in columns { sums.columnSkips[tile.matrix * tiles.matrices.columnCount + column] += 1 }
  }

  /// Between the passes: the moving averages take up the means of the new squares.
  ///
  /// Skipped elements count for nothing: a mean is that of the others, and where there are none it stays as it is.
  func updateMeans() {
    guard case .factored(let memory) = second, case .adam(let constants) = constants, let sums else { return }
    let matrices = memory.matrices
    let tiles = MatrixTiles(matrices)
    for matrix in 0..<matrices.matrixCount {
      Self.updateMeans(
        memory.rowMeans + matrix * matrices.rowCount, count: matrices.rowCount, of: matrices.columnCount,
        sums.rowSums + matrix * tiles.stripCount * matrices.rowCount, partCount: tiles.stripCount,
        sums.rowSkips + matrix * matrices.rowCount, constants)
      Self.updateMeans(
        memory.columnMeans + matrix * matrices.columnCount, count: matrices.columnCount, of: matrices.rowCount,
        sums.columnSums + matrix * tiles.bandCount * matrices.columnCount, partCount: tiles.bandCount,
        sums.columnSkips + matrix * matrices.columnCount, constants)
    }
    sums.rowSkips.update(repeating: 0, count: matrices.allRows)
    sums.columnSkips.update(repeating: 0, count: matrices.allColumns)
    matrices.makeRowFactors(of: memory.rowMeans, into: sums.rowFactors)
  }

  /// - Parameters:
  ///   - length: elements that each mean is of, skipped ones among them.
  ///   - parts: `partCount` times `count` sums.
  private static func updateMeans(
    _ means: UnsafeMutablePointer<Float>, count: Int, of length: Int, _ parts: UnsafeMutablePointer<Double>,
    partCount: Int, _ skips: UnsafePointer<Int32>, _ constants: AdamConstants
  ) {
    for part in 1..<max(partCount, 1) {
      let next = parts + part * count
      for index in 0..<count { parts[index] += next[index] }
    }
    for index in 0..<count {
      let rest = length - Int(skips[index])
      if rest > 0 { means[index] = constants.mean(means[index], parts[index] / Double(rest)) }
    }
  }

  /// Updates one block whose gradient is finite, with second moments multiplied from the new means.
  func updateWithMeans(
    _ memory: FactoredMemory, block: Int, at start: Int, count: Int, _ scratch: BlockScratch, _ kernels: KernelSet,
    _ constants: AdamConstants
  ) {
    guard let sums else { return }
    let v = scratch.second.values
    kernels.multiplyMeans(sums.rowFactors, memory.columnMeans, memory.matrices, start, count, v)
    let m = first.values(ofBlock: block, at: start, count: count, scratch: scratch.first, kernels)
    let absmax = kernels.adamWithSecondMoments(parameters + start, gradients + start, m, v, count, constants)
    first.store(m, ofBlock: block, at: start, count: count, absmax: absmax, scratch: scratch.first, kernels)
  }
}
