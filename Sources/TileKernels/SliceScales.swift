/// The shape of a tensor that has one scale vector a dimension.
///
/// The stages below want memory for two numbers a dimension.
///
/// A slice is all elements with one index in one dimension. The vectors lie one after another in the order of the
/// dimensions, so that a slice has one place among them all.
public struct SliceGeometry {
  /// The dimensions, outermost first.
  public var shape: UnsafePointer<Int>
  /// Two or more.
  public var rank: Int

  public init(shape: UnsafePointer<Int>, rank: Int) {
    self.shape = shape
    self.rank = rank
  }

  /// Where the last dimension's vector begins.
  @inlinable @inline(__always)
  var columnBase: Int {
    var base = 0
    for dimension in 0..<rank &- 1 { base &+= shape[dimension] }
    return base
  }
}

/// Goes through a tensor row by row, a row being the last dimension.
@usableFromInline
struct RowCursor {
  /// For each leading dimension, where the row's slice lies among the vectors, and where the dimension's vector ends.
  @usableFromInline let places, ends: UnsafeMutablePointer<Int>
  @usableFromInline let geometry: SliceGeometry
  /// The first element's index in its row.
  @usableFromInline let firstColumn: Int

  /// - Parameter memory: for twice as many numbers as there are leading dimensions.
  @inlinable @inline(__always)
  init(_ geometry: SliceGeometry, start: Int, _ memory: UnsafeMutablePointer<Int>) {
    let leading = geometry.rank &- 1
    self.geometry = geometry
    places = memory
    ends = memory + leading
    var base = 0
    for dimension in 0..<leading {
      base &+= geometry.shape[dimension]
      ends[dimension] = base
    }
    var row = start / geometry.shape[leading]
    firstColumn = start &- row &* geometry.shape[leading]
    var dimension = leading &- 1
    while dimension > 0 {
      let length = geometry.shape[dimension]
      places[dimension] = ends[dimension] &- length &+ row % length
      row /= length
      dimension &-= 1
    }
    places[0] = row
  }

  @inlinable @inline(__always)
  func goToNextRow() {
    var dimension = geometry.rank &- 2
    while dimension >= 0 {
      places[dimension] &+= 1
      if places[dimension] < ends[dimension] { return }
      places[dimension] &-= geometry.shape[dimension]
      dimension &-= 1
    }
  }

  @inlinable @inline(__always)
  func smallest(_ vectors: UnsafePointer<Float>) -> Float {
    var result = vectors[places[0]]
    for dimension in 1..<geometry.rank &- 1 {
      let other = vectors[places[dimension]]
      result = other < result ? other : result
    }
    return result
  }

  @inlinable @inline(__always)
  func largest(_ vectors: UnsafePointer<Float>) -> Float {
    var result = vectors[places[0]]
    for dimension in 1..<geometry.rank &- 1 {
      let other = vectors[places[dimension]]
      result = other > result ? other : result
    }
    return result
  }
}

/// values[i] = values[i] · the smallest of the numbers that the vectors hold for the slices of element `start` + i.
@inlinable @inline(__always)
public func scaleBySmallestStage(
  _ values: UnsafeMutablePointer<Float>, _ vectors: UnsafePointer<Float>, _ geometry: SliceGeometry, _ start: Int,
  _ count: Int, _ memory: UnsafeMutablePointer<Int>
) {
  let cursor = RowCursor(geometry, start: start, memory)
  var columns = vectors + (geometry.columnBase &+ cursor.firstColumn)
  var length = min(geometry.shape[geometry.rank &- 1] &- cursor.firstColumn, count)
  var part = values
  while true {
    let leading = cursor.smallest(vectors)
    for i in 0..<length {
      let other = columns[i]
      part[i] *= other < leading ? other : leading
    }
    part += length
    if part >= values + count { return }
    cursor.goToNextRow()
    columns = vectors + geometry.columnBase
    length = min(geometry.shape[geometry.rank &- 1], count &- (part - values))
  }
}

/// values[i] = values[i] · the largest of the numbers that the vectors hold for the slices of element `start` + i.
@inlinable @inline(__always)
public func scaleByLargestStage(
  _ values: UnsafeMutablePointer<Float>, _ vectors: UnsafePointer<Float>, _ geometry: SliceGeometry, _ start: Int,
  _ count: Int, _ memory: UnsafeMutablePointer<Int>
) {
  let cursor = RowCursor(geometry, start: start, memory)
  var columns = vectors + (geometry.columnBase &+ cursor.firstColumn)
  var length = min(geometry.shape[geometry.rank &- 1] &- cursor.firstColumn, count)
  var part = values
  while true {
    let leading = cursor.largest(vectors)
    for i in 0..<length {
      let other = columns[i]
      part[i] *= other > leading ? other : leading
    }
    part += length
    if part >= values + count { return }
    cursor.goToNextRow()
    columns = vectors + geometry.columnBase
    length = min(geometry.shape[geometry.rank &- 1], count &- (part - values))
  }
}

/// Raises each slice's entry to the largest magnitude that `count` values from element `start` on have there.
///
/// The entries are magnitudes as bits, which order like the numbers: infinity counts as the largest.
@inlinable @inline(__always)
public func raiseSlicesStage(
  _ values: UnsafePointer<Float>, _ geometry: SliceGeometry, _ start: Int, _ count: Int,
  _ vectors: UnsafeMutablePointer<Int32>, _ memory: UnsafeMutablePointer<Int>
) {
  let cursor = RowCursor(geometry, start: start, memory)
  var columns = vectors + (geometry.columnBase &+ cursor.firstColumn)
  var length = min(geometry.shape[geometry.rank &- 1] &- cursor.firstColumn, count)
  var part = values
  while true {
    var rowMaximum: Int32 = 0
    for i in 0..<length {
      let bits = magnitudeBits(part[i])
      rowMaximum = max(rowMaximum, bits)
      columns[i] = max(columns[i], bits)
    }
    for dimension in 0..<geometry.rank &- 1 {
      let place = cursor.places[dimension]
      vectors[place] = max(vectors[place], rowMaximum)
    }
    part += length
    if part >= values + count { return }
    cursor.goToNextRow()
    columns = vectors + geometry.columnBase
    length = min(geometry.shape[geometry.rank &- 1], count &- (part - values))
  }
}
