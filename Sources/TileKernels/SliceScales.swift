/// The shape of a tensor that has one scale vector a dimension.
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

  /// Calls `body` with each part of a row (of the last dimension) among `count` elements from `start` on: its offset from
  /// `start`, its length, its first column, and the places of the row's slices in the leading dimensions.
  @inlinable @inline(__always)
  func forEachRowPart(from start: Int, count: Int, _ body: (Int, Int, Int, UnsafeMutablePointer<Int>) -> Void) {
    let leading = rank &- 1
    let rowLength = shape[leading]
    if leading == 1 {
      // A matrix: the row is the place.
      var row = start / rowLength
      var column = start &- row &* rowLength
      var offset = 0
      while offset < count {
        let length = min(rowLength &- column, count &- offset)
        body(offset, length, column, &row)
        offset &+= length
        column = 0
        row &+= 1
      }
      return
    }
    withUnsafeTemporaryAllocation(of: Int.self, capacity: 2 &* leading) { buffer in
      let places = buffer.baseAddress!
      let ends = places + leading
      var base = 0
      for dimension in 0..<leading {
        base &+= shape[dimension]
        ends[dimension] = base
      }
      var row = start / rowLength
      var column = start &- row &* rowLength
      for dimension in stride(from: leading &- 1, through: 0, by: -1) {
        let length = shape[dimension]
        places[dimension] = ends[dimension] &- length &+ row % length
        row /= length
      }
      var offset = 0
      while offset < count {
        let length = min(rowLength &- column, count &- offset)
        body(offset, length, column, places)
        offset &+= length
        column = 0
        var dimension = leading &- 1
        while dimension >= 0 {
          places[dimension] &+= 1
          if places[dimension] < ends[dimension] { break }
          places[dimension] &-= shape[dimension]
          dimension &-= 1
        }
      }
    }
  }

  /// Where the last dimension's vector begins.
  @inlinable @inline(__always)
  var columnBase: Int {
    var base = 0
    for dimension in 0..<rank &- 1 { base &+= shape[dimension] }
    return base
  }
}

/// values[i] = values[i] · the smallest of the numbers that the vectors hold for the slices of element `start` + i.
@inlinable @inline(__always)
public func scaleBySmallestStage(
  _ values: UnsafeMutablePointer<Float>, _ vectors: UnsafePointer<Float>, _ geometry: SliceGeometry, _ start: Int,
  _ count: Int
) {
  let columns = vectors + geometry.columnBase
  geometry.forEachRowPart(from: start, count: count) { offset, length, column, places in
    var leading = vectors[places[0]]
    for dimension in 1..<geometry.rank &- 1 {
      let other = vectors[places[dimension]]
      leading = other < leading ? other : leading
    }
    let (part, columns) = (values + offset, columns + column)
    for i in 0..<length {
      let other = columns[i]
      part[i] *= other < leading ? other : leading
    }
  }
}

/// values[i] = values[i] · the largest of the numbers that the vectors hold for the slices of element `start` + i.
@inlinable @inline(__always)
public func scaleByLargestStage(
  _ values: UnsafeMutablePointer<Float>, _ vectors: UnsafePointer<Float>, _ geometry: SliceGeometry, _ start: Int,
  _ count: Int
) {
  let columns = vectors + geometry.columnBase
  geometry.forEachRowPart(from: start, count: count) { offset, length, column, places in
    var leading = vectors[places[0]]
    for dimension in 1..<geometry.rank &- 1 {
      let other = vectors[places[dimension]]
      leading = other > leading ? other : leading
    }
    let (part, columns) = (values + offset, columns + column)
    for i in 0..<length {
      let other = columns[i]
      part[i] *= other > leading ? other : leading
    }
  }
}

/// Raises each slice's entry to the largest magnitude that `count` values from element `start` on have there.
///
/// The entries are magnitudes as bits, which order like the numbers: infinity counts as the largest.
@inlinable @inline(__always)
public func raiseSlicesStage(
  _ values: UnsafePointer<Float>, _ geometry: SliceGeometry, _ start: Int, _ count: Int,
  _ vectors: UnsafeMutablePointer<Int32>
) {
  let columns = vectors + geometry.columnBase
  geometry.forEachRowPart(from: start, count: count) { offset, length, column, places in
    var rowMaximum: Int32 = 0
    let (part, columns) = (values + offset, columns + column)
    for i in 0..<length {
      let bits = magnitudeBits(part[i])
      rowMaximum = max(rowMaximum, bits)
      columns[i] = max(columns[i], bits)
    }
    for dimension in 0..<geometry.rank &- 1 {
      vectors[places[dimension]] = max(vectors[places[dimension]], rowMaximum)
    }
  }
}
