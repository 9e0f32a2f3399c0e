/// The nearest 4-bit code of a value from −1 to 1, and a little beyond, in one comparison: the interval is cut into 32 cells
/// with at most one threshold in each.
///
/// A value's place in the order of cells never falls as the value rises. So the thresholds in lower cells lie below the value
/// and those in higher cells do not, wherever exactly one cell ends and the next begins.
public struct NibbleCells {
  /// How values find their cell.
  public enum Spacing {
    /// Cells of one width.
    case even
    /// Cells of either sign that double their width after every four, as dynamic exponent maps need them.
    case doubling
  }

  public var spacing: Spacing
  /// The one threshold of each cell; infinity for none.
  public var lowThresholds, highThresholds: SIMD16<Float>
  /// For each cell, the code of values up to its threshold and that of values above. For the complements, whose next bit is
  /// set already, the two have changed places.
  public var codesUpTo, codesAbove: SIMD32<UInt16>

  /// An even cell is the lowest five bits of a value times `slope` plus `offset`, rounded once and to a whole number, because
  /// `offset` brings the last bit of the sum's float to the ones. They go from 0 for −1 to 30 for 1.
  @inlinable @inline(__always)
  public static var slope: Float { 15.25 }
  @inlinable @inline(__always)
  public static var offset: Float { 0x1.8p23 + 15 }

  /// A doubling cell is the lowest five bits of a magnitude times `magnitudeSlope` plus `magnitudeOffset` without its lowest
  /// 21 bits: sums from 2 to 32 have four cells an octave. Negative values have the complement.
  @inlinable @inline(__always)
  public static var magnitudeSlope: Float { 29.75 }
  @inlinable @inline(__always)
  public static var magnitudeOffset: Float { 2 }

  /// - Parameter t: fifteen thresholds, ascending.
  @inlinable
  init(thresholds t: UnsafePointer<Float>) {
    let even = Self(.even, t, inOrder: 0) { Int(Self.offset.addingProduct(Self.slope, $0).bitPattern & 31) }
    let doubling = Self(.doubling, t, inOrder: 16) {
      let sum = Self.magnitudeOffset.addingProduct(Self.magnitudeSlope, $0.magnitude)
      return Int((sum.bitPattern >> 21 ^ ($0 < 0 ? .max : 0)) & 31)
    }
    guard let cells = even ?? doubling else { fatalError("no spacing leaves each threshold a cell of its own") }
    self = cells
  }

  /// Nil if two thresholds share a cell.
  ///
  /// - Parameter first: the lowest cell, after which they go in turns.
  @inlinable
  init?(_ spacing: Spacing, _ t: UnsafePointer<Float>, inOrder first: Int, cell: (Float) -> Int) {
    var thresholds = SIMD32<Float>(repeating: .infinity)
    (codesUpTo, codesAbove) = (SIMD32(), SIMD32())
    var k = 0
    for i in 0..<32 {
      let place = (first + i) % 32
      codesUpTo[place] = UInt16(k)
      if k < 15, cell(t[k]) == place {
        thresholds[place] = t[k]
        k += 1
      }
      codesAbove[place] = UInt16(k)
      if case .doubling = spacing, place >= 16 { swap(&codesUpTo[place], &codesAbove[place]) }
    }
    (lowThresholds, highThresholds) = (thresholds.lowHalf, thresholds.highHalf)
    self.spacing = spacing
    if k < 15 { return nil }
  }
}
