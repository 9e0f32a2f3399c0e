// The stages of a second moment of which only the means of its rows and of its columns are kept.

/// Some neighbouring rows and columns of a matrix.
public struct MatrixPart {
  public var rowCount: Int
  public var columnCount: Int
  /// Elements from the start of one row to that of the next.
  public var stride: Int

  public init(rowCount: Int, columnCount: Int, stride: Int) {
    self.rowCount = rowCount
    self.columnCount = columnCount
    self.stride = stride
  }
}

/// Adds the squares of a part's gradients to the sums of its rows and of its columns.
///
/// In Double, where the square of a float32 is exact and no sum of such squares overflows. The order of every sum depends
/// on the part's size alone: a column goes from the top to the bottom, a row is folded in halves.
///
/// - Parameter squares: memory for a row of the part.
@inlinable @inline(__always)
public func addSquaresStage(
  _ parameters: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ part: MatrixPart,
  _ rowSums: UnsafeMutablePointer<Double>, _ columnSums: UnsafeMutablePointer<Double>,
  _ squares: UnsafeMutablePointer<Double>, _ constants: AdamConstants
) {
  for row in 0..<part.rowCount {
    let (p, g) = (parameters + row &* part.stride, gradients + row &* part.stride)
    constants.withDecayTerms { terms in
      for column in 0..<part.columnCount {
        let value = Double(constants.decayedGradient(g[column], p[column], terms))
        let square = value * value
        squares[column] = square
        columnSums[column] += square
      }
    }
    rowSums[row] += foldedSum(squares, part.columnCount)
  }
}

/// The sum of `count` values, which are overwritten: the upper half is added to the lower one, until one value is left.
@inlinable @inline(__always)
func foldedSum(_ values: UnsafeMutablePointer<Double>, _ count: Int) -> Double {
  guard count > 0 else { return 0 }
  var rest = count
  while rest > 1 {
    let half = rest / 2
    let upper = values + (rest &- half)
    for i in 0..<half { values[i] += upper[i] }
    rest &-= half
  }
  return values[0]
}

extension AdamConstants {
  /// The moving average of a row's or column's mean, as `second` makes that of one square.
  ///
  /// - Parameter fresh: the mean of the new squares. What float32 cannot hold saturates, as in other formats: an infinity
  ///   at the greatest value, a NaN (of a parameter that is one) at zero.
  public func mean(_ old: Float, _ fresh: Double) -> Float {
    let greatest = Float.greatestFiniteMagnitude
    let mean = fresh != fresh ? 0 : (fresh < Double(greatest) ? Float(fresh) : greatest)
    let new = beta2 * old + oneMinusBeta2 * mean
    return new < greatest ? new : greatest
  }
}

/// Matrices of one size that lie one after another.
public struct MatrixShape {
  public var matrixCount: Int
  public var rowCount: Int
  public var columnCount: Int

  public init(matrixCount: Int, rowCount: Int, columnCount: Int) {
    self.matrixCount = matrixCount
    self.rowCount = rowCount
    self.columnCount = columnCount
  }
}

/// values[i] = row factor · column mean, for `count` elements from element `start` on. What would overflow is the greatest
/// finite value.
///
/// - Parameters:
///   - rowFactors: of all rows of all matrices.
///   - columnMeans: of all columns of all matrices.
@inlinable @inline(__always)
public func multiplyMeansStage(
  _ rowFactors: UnsafePointer<Float>, _ columnMeans: UnsafePointer<Float>, _ shape: MatrixShape, _ start: Int,
  _ count: Int, _ values: UnsafeMutablePointer<Float>
) {
  let greatest = Float.greatestFiniteMagnitude
  var row = start / shape.columnCount
  var column = start &- row &* shape.columnCount
  let matrix = row / shape.rowCount
  var means = columnMeans + matrix &* shape.columnCount
  var rowsLeft = shape.rowCount &- (row &- matrix &* shape.rowCount)
  var offset = 0
  while offset < count {
    let length = min(shape.columnCount &- column, count &- offset)
    let (part, columns, factor) = (values + offset, means + column, rowFactors[row])
    for i in 0..<length {
      let value = factor * columns[i]
      part[i] = value < greatest ? value : greatest
    }
    offset &+= length
    column = 0
    row &+= 1
    rowsLeft &-= 1
    if rowsLeft == 0 {
      rowsLeft = shape.rowCount
      means += shape.columnCount
    }
  }
}

/// Adam and AdamW on `count` elements, with second moments that are the new ones already. Returns the largest magnitude of
/// the first moments, which are updated in place as the parameters are.
@inlinable @inline(__always)
public func adamWithSecondMomentsStage(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
  _ firstMoments: UnsafeMutablePointer<Float>, _ secondMoments: UnsafePointer<Float>,
  _ count: Int, _ constants: AdamConstants
) -> Float {
  constants.withDecayTerms { terms in
    var maximum: Int32 = 0
    for i in 0..<count {
      let p = parameters[i]
      let m = constants.first(firstMoments[i], constants.decayedGradient(gradients[i], p, terms))
      parameters[i] = constants.moved(p, m, secondMoments[i], terms)
      firstMoments[i] = m
      maximum = max(maximum, magnitudeBits(m))
    }
    return Float(bitPattern: UInt32(bitPattern: maximum))
  }
}
