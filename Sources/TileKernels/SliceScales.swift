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
}

/// Walks some elements of a tensor in parts that lie in one row each, a row being the last dimension.
public struct RowWalk {
  @usableFromInline let geometry: SliceGeometry
  @usableFromInline let count: Int
  /// For each leading dimension, where the row's slice lies among the vectors, and where the dimension's vector ends.
  @usableFromInline let places, ends: UnsafeMutablePointer<Int>
  /// Where the last dimension's vector begins.
  @usableFromInline let columnBase: Int
  /// The part's first element, counted from where the walk starts, and its number of elements.
  public var offset = 0
  public var length = 0
  /// The part's first element, counted from the row's start.
  @usableFromInline var column: Int

  /// - Parameter memory: for twice as many numbers as there are leading dimensions.
  @inlinable @inline(__always)
  public init(_ geometry: SliceGeometry, from start: Int, count: Int, _ memory: UnsafeMutablePointer<Int>) {
    let leading = geometry.rank &- 1
    self.geometry = geometry
    self.count = count
    places = memory
    ends = memory + leading
    var base = 0
    for dimension in 0..<leading {
      base &+= geometry.shape[dimension]
      ends[dimension] = base
    }
    columnBase = base
    var row = start / geometry.shape[leading]
    column = start &- row &* geometry.shape[leading]
    var dimension = leading &- 1
    while dimension > 0 {
      let length = geometry.shape[dimension]
      places[dimension] = ends[dimension] &- length &+ row % length
      row /= length
      dimension &-= 1
    }
    places[0] = row
  }

  /// Goes to the first part or the next; false if there is none.
  @inlinable @inline(__always)
  public mutating func advance() -> Bool {
    let next = offset &+ length
    guard next < count else { return false }
    if length > 0 {
      column = 0
      goToNextRow()
    }
    offset = next
    length = min(geometry.shape[geometry.rank &- 1] &- column, count &- next)
    return true
  }

  /// Where the part's row ends, counted from where the walk starts.
  @inlinable @inline(__always)
  public var rowEnd: Int { offset &+ geometry.shape[geometry.rank &- 1] &- column }

  /// The row's entries in the last dimension's vector.
  @inlinable @inline(__always)
  public func columns<Entry>(_ vectors: UnsafePointer<Entry>) -> UnsafePointer<Entry> {
    vectors + (columnBase &+ column)
  }

  @inlinable @inline(__always)
  public func columns<Entry>(_ vectors: UnsafeMutablePointer<Entry>) -> UnsafeMutablePointer<Entry> {
    vectors + (columnBase &+ column)
  }

  /// The smallest of the leading dimensions' entries.
  @inlinable @inline(__always)
  public func smallest(_ vectors: UnsafePointer<Float>) -> Float {
    var result = vectors[places[0]]
    for dimension in 1..<geometry.rank &- 1 { result = smaller(result, vectors[places[dimension]]) }
    return result
  }

  /// The largest of the leading dimensions' entries.
  @inlinable @inline(__always)
  public func largest(_ vectors: UnsafePointer<Float>) -> Float {
    var result = vectors[places[0]]
    for dimension in 1..<geometry.rank &- 1 { result = larger(result, vectors[places[dimension]]) }
    return result
  }

  /// Raises the leading dimensions' entries.
  @inlinable @inline(__always)
  public func raise(_ vectors: UnsafeMutablePointer<Int32>, to maximum: Int32) {
    for dimension in 0..<geometry.rank &- 1 {
      let place = places[dimension]
      vectors[place] = max(vectors[place], maximum)
    }
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
}

/// values[i] = values[i] · the smallest of the numbers that the vectors hold for the slices of element `start` + i.
@inlinable @inline(__always)
public func scaleBySmallestStage(
  _ values: UnsafeMutablePointer<Float>, _ vectors: UnsafePointer<Float>, _ geometry: SliceGeometry, _ start: Int,
  _ count: Int, _ memory: UnsafeMutablePointer<Int>
) {
  var walk = RowWalk(geometry, from: start, count: count, memory)
  while walk.advance() {
    let leading = walk.smallest(vectors)
    let (part, columns, length) = (values + walk.offset, walk.columns(vectors), walk.length)
    for i in 0..<length { part[i] *= smaller(leading, columns[i]) }
  }
}

/// values[i] = values[i] · the largest of the numbers that the vectors hold for the slices of element `start` + i.
@inlinable @inline(__always)
public func scaleByLargestStage(
  _ values: UnsafeMutablePointer<Float>, _ vectors: UnsafePointer<Float>, _ geometry: SliceGeometry, _ start: Int,
  _ count: Int, _ memory: UnsafeMutablePointer<Int>
) {
  var walk = RowWalk(geometry, from: start, count: count, memory)
  while walk.advance() {
    let leading = walk.largest(vectors)
    let (part, columns, length) = (values + walk.offset, walk.columns(vectors), walk.length)
    for i in 0..<length { part[i] *= larger(leading, columns[i]) }
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
  var walk = RowWalk(geometry, from: start, count: count, memory)
  while walk.advance() {
    let (part, columns, length) = (values + walk.offset, walk.columns(vectors), walk.length)
    var rowMaximum: Int32 = 0
    for i in 0..<length {
      let bits = magnitudeBits(part[i])
      rowMaximum = max(rowMaximum, bits)
      columns[i] = max(columns[i], bits)
    }
    walk.raise(vectors, to: rowMaximum)
  }
}

@inlinable @inline(__always)
func smaller(_ a: Float, _ b: Float) -> Float { b < a ? b : a }

@inlinable @inline(__always)
func larger(_ a: Float, _ b: Float) -> Float { b > a ? b : a }
