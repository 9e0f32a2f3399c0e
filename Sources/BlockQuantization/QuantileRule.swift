internal import TileKernels

/// How the smallest level of a block of logarithmic codes follows from its positive values.
///
/// The few values below it are raised to it, which bounds 1 / √v. Zeros do not count: they say nothing about the range of
/// the others.
public enum QuantileRule: Hashable, Sendable {
  /// The p-quantile of the k positive values, interpolated linearly at position p · (k − 1) of their ascending order, as
  /// the paper defines it.
  case exact(_ p: Double = 0.1)
  /// About the 0.07-quantile, ten to fifty times faster: the values fall into count / 16 groups (at least one), value i
  /// into group i modulo their number, and of the k groups' smallest positive values the ⌈0.75 k⌉-th smallest counts.
  ///
  /// Where the quantile lies hardly matters: from 0.05 to 0.3 the paper measures the same training results.
  case fast

  /// The quantile of `count` finite values, none negative; 0 if none is positive.
  func quantile(of values: UnsafePointer<Float>, count: Int, _ kernels: KernelSet) -> Double {
    switch self {
    case .exact(let p): Self.interpolated(p, of: values, count: count)
    case .fast: Double(kernels.fastQuantile(values, count))
    }
  }

  private static func interpolated(_ p: Double, of values: UnsafePointer<Float>, count: Int) -> Double {
    var positiveCount = 0
    for i in 0..<count where values[i] > 0 { positiveCount += 1 }
    if positiveCount == 0 { return 0 }
    let position = p * Double(positiveCount - 1)
    let index = Int(position)
    let lower = smallest(index + 1, of: values, count: count)
    let fraction = position - Double(index)
    if fraction == 0 { return Double(lower) }
    // The next in order: the same again if it occurs often enough.
    var atMost = 0
    var next = Float.infinity
    for i in 0..<count where values[i] > 0 {
      if values[i] <= lower { atMost += 1 } else { next = min(next, values[i]) }
    }
    let upper = atMost > index + 1 ? lower : next
    return Double(lower) + fraction * (Double(upper) - Double(lower))
  }

  /// The `rank`-th smallest positive value, counted from 1. Positive floats order like their bits, so the bits are found
  /// by bisection: nothing moves, and each step is a loop without branches.
  private static func smallest(_ rank: Int, of values: UnsafePointer<Float>, count: Int) -> Float {
    var low: Int32 = 1
    var high = Int32(bitPattern: Float.greatestFiniteMagnitude.bitPattern)
    while low < high {
      let middle = low + (high - low) / 2
      var atMost: Int32 = 0
      for i in 0..<count {
        let bits = Int32(bitPattern: values[i].bitPattern)
        atMost &+= (bits > 0 ? 1 : 0) & (bits <= middle ? 1 : 0)
      }
      if Int(atMost) >= rank { high = middle } else { low = middle + 1 }
    }
    return Float(bitPattern: UInt32(bitPattern: low))
  }
}
