internal import TileKernels

/// The parts of a tensor's matrices that the sums of squares are taken of, one by one and in any order.
///
/// They follow from the shape alone, and with them the order of all sums: a row's sum is added up from those of the tiles
/// that it goes through, left to right, a column's top down.
struct MatrixTiles {
  let matrices: MatrixShape
  let rowsPerTile: Int
  /// Tiles above each other, and beside each other, in one matrix.
  let bandCount: Int
  let stripCount: Int

  /// A tile's row fits the first-level cache beside its sums.
  static let mostColumns = 1024
  /// So many rows keep the memory for the columns' sums small beside the gradient: 8 bytes for each column of a tile.
  private static let leastRows = 256
  /// Of narrow matrices' tiles.
  private static let leastElements = 1 << 16

  init(_ matrices: MatrixShape) {
    self.matrices = matrices
    rowsPerTile = max(Self.leastRows, Self.leastElements / matrices.columnCount)
    bandCount = (matrices.rowCount + rowsPerTile - 1) / rowsPerTile
    stripCount = (matrices.columnCount + Self.mostColumns - 1) / Self.mostColumns
  }

  var count: Int { matrices.matrixCount * bandCount * stripCount }
  /// Sums of rows in all tiles: for each matrix and strip one a row.
  var rowSumCount: Int { matrices.allRows * stripCount }
  /// Sums of columns in all tiles: for each matrix and band one a column.
  var columnSumCount: Int { matrices.allColumns * bandCount }

  subscript(tile: Int) -> MatrixTile {
    let strip = tile % stripCount
    let band = tile / stripCount % bandCount
    let matrix = tile / stripCount / bandCount
    let rows = band * rowsPerTile..<min((band + 1) * rowsPerTile, matrices.rowCount)
    let columns = strip * Self.mostColumns..<min((strip + 1) * Self.mostColumns, matrices.columnCount)
    return MatrixTile(
      matrix: matrix, rows: rows, columns: columns,
      rowSums: (matrix * stripCount + strip) * matrices.rowCount + rows.lowerBound,
      columnSums: (matrix * bandCount + band) * matrices.columnCount + columns.lowerBound)
  }
}

/// Neighbouring rows and columns of one of a tensor's matrices.
struct MatrixTile {
  let matrix: Int
  let rows: Range<Int>
  let columns: Range<Int>
  /// Where its sums lie among those of all tiles.
  let rowSums: Int
  let columnSums: Int
}
