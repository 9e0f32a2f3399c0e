internal import TileKernels

/// Memory for the sums of squares of a call's tasks, and for what is made of them; kept from call to call.
///
/// It takes 8 bytes for each row and column of a tile, which is 0.04 bytes a parameter of a large matrix, and 8 for each row
/// and 4 for each column of the tensor: of all tensors in one call, not of all that the optimizer has.
final class SquareSumMemory {
  private var sums = UnsafeMutableBufferPointer<Double>(start: nil, count: 0)
  private var factors = UnsafeMutableBufferPointer<Float>(start: nil, count: 0)
  private var skips = UnsafeMutableBufferPointer<Int32>(start: nil, count: 0)
  private var squares = UnsafeMutableBufferPointer<Double>(start: nil, count: 0)

  /// A row of a tile, and a line between threads.
  private static let squaresPerThread = MatrixTiles.mostColumns + 16

  deinit {
    sums.deallocate()
    factors.deallocate()
    skips.deallocate()
    squares.deallocate()
  }

  func reserve(_ size: SquareSumSize, threadCount: Int) {
    Self.grow(&sums, to: size.sumCount, 0)
    Self.grow(&factors, to: size.factorCount, 0)
    Self.grow(&skips, to: size.skipCount, 0)
    Self.grow(&squares, to: threadCount * Self.squaresPerThread, 0)
  }

  private static func grow<Element: BitwiseCopyable>(
    _ memory: inout UnsafeMutableBufferPointer<Element>, to count: Int, _ zero: Element
  ) {
    guard count > memory.count else { return }
    memory.deallocate()
    memory = .allocate(capacity: count)
    memory.initialize(repeating: zero)
  }

  /// The part that begins where other tasks' parts end.
  func part(at start: SquareSumSize, _ tiles: MatrixTiles) -> SquareSums {
    let rowSums = sums.baseAddress! + start.sumCount
    let rowSkips = skips.baseAddress! + start.skipCount
    return SquareSums(
      rowSums: rowSums, columnSums: rowSums + tiles.rowSumCount, rowFactors: factors.baseAddress! + start.factorCount,
      rowSkips: rowSkips, columnSkips: rowSkips + tiles.matrices.allRows)
  }

  /// A thread's memory for a row of a tile.
  func squares(_ thread: Int) -> UnsafeMutablePointer<Double> {
    squares.baseAddress! + thread * Self.squaresPerThread
  }
}

/// How much memory tasks need, or where that of the next one begins.
struct SquareSumSize {
  var sumCount = 0
  var factorCount = 0
  var skipCount = 0

  mutating func add(_ tiles: MatrixTiles) {
    sumCount += tiles.rowSumCount + tiles.columnSumCount
    factorCount += tiles.matrices.allRows
    skipCount += tiles.matrices.allRows + tiles.matrices.allColumns
  }
}

/// One task's part of that memory.
struct SquareSums {
  /// Of each tile, as ``MatrixTiles`` counts them.
  let rowSums: UnsafeMutablePointer<Double>
  let columnSums: UnsafeMutablePointer<Double>
  /// What the second moments of a row are of the columns' means.
  let rowFactors: UnsafeMutablePointer<Float>
  /// Elements of each row and column that belong to skipped blocks. Zeros between steps. Written under the engine's lock.
  let rowSkips: UnsafeMutablePointer<Int32>
  let columnSkips: UnsafeMutablePointer<Int32>
}
