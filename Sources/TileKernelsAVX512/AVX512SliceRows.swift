// Where a block of a tensor with one scale vector a dimension finds its scales.
//
// A block inside one row has its column scales side by side, and the next block often lies in the same row: finding the
// row anew each time would be a tenth of the step. For other blocks each element's scale is found first; then all rows,
// however short, are alike.
#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

/// A row in hand: from where on and up to where, counted in elements of the tensor.
typealias RowInHand = (walk: RowWalk, start: Int, end: Int)

@inline(__always)
func noRow(_ moment: SliceMoment) -> RowInHand {
  (walk: RowWalk(moment.geometry, from: 0, count: 0, moment.walkMemory), start: 0, end: 0)
}

/// Goes to the row of a block that comes after the last one. False if the block is not in one row; then none is in hand.
@inline(__always)
func enterRow(_ row: inout RowInHand, at start: Int, _ count: Int, _ moment: SliceMoment) -> Bool {
  if start &+ count > row.end {
    row.walk = RowWalk(moment.geometry, from: start, count: count, moment.walkMemory)
    _ = row.walk.advance()
    row.start = start
    row.end = start &+ row.walk.rowEnd
  }
  if start &+ count <= row.end { return true }
  row.end = 0
  return false
}

// MARK: - Rows that do not hold the block

// Called seldom or for long. They are not private, because private functions become weak ones in release builds.

/// Each element's scale: the smallest of its slices'.
@inline(never)
func spreadScales(_ moment: SliceMoment, _ start: Int, _ count: Int, to scales: UnsafeMutablePointer<Float>) {
  var walk = RowWalk(moment.geometry, from: start, count: count, moment.walkMemory)
  while walk.advance() {
    let (part, row, columns) = (scales + walk.offset, walk.smallest(moment.scales), walk.columns(moment.scales))
    for i in 0..<walk.length { part[i] = columns[i] < row ? columns[i] : row }
  }
}

/// Each element's reciprocal: the largest of its slices'.
@inline(never)
func spreadReciprocals(
  _ moment: SliceMoment, _ start: Int, _ count: Int, to reciprocals: UnsafeMutablePointer<Float>
) {
  var walk = RowWalk(moment.geometry, from: start, count: count, moment.walkMemory)
  while walk.advance() {
    let (row, columns) = (walk.largest(moment.reciprocals), walk.columns(moment.reciprocals))
    let part = reciprocals + walk.offset
    for i in 0..<walk.length { part[i] = columns[i] > row ? columns[i] : row }
  }
}
#endif
