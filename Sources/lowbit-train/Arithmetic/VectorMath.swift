/// Eight floats at a time: two registers on plain x86-64 and on ARM, one where the build allows wider ones.
typealias Lanes = SIMD8<Float>

extension UnsafePointer<Float> {
  /// The eight values that start at `index`; no alignment needed.
  @inline(__always)
  func lanes(_ index: Int) -> Lanes {
    UnsafeRawPointer(self + index).loadUnaligned(as: Lanes.self)
  }
}

extension UnsafeMutablePointer<Float> {
  /// The eight values that start at `index`; no alignment needed.
  @inline(__always)
  func lanes(_ index: Int) -> Lanes {
    UnsafeRawPointer(self + index).loadUnaligned(as: Lanes.self)
  }

  @inline(__always)
  func setLanes(_ index: Int, _ lanes: Lanes) {
    UnsafeMutableRawPointer(self + index).storeBytes(of: lanes, as: Lanes.self)
  }
}

extension SIMD8<Float> {
  /// The sum in one fixed order, so that every machine and every run gets the same bits.
  @inline(__always)
  var total: Float {
    let four = lowHalf + highHalf
    let two = four.lowHalf + four.highHalf
    return two.x + two.y
  }
}

/// e to the power of each lane, to about 1 part in 10 million; exactly zero below -87.
///
/// The mathematics library takes one value at a time, which would make GELU and softmax cost more than the matrix
/// products. The polynomial is that of the Cephes library (`expf`, S. Moshier). NaN stays NaN.
@inline(__always)
func exponential(_ input: Lanes) -> Lanes {
  let x = input.replacing(with: 88, where: input .> 88).replacing(with: -87, where: input .< -87)
  // Adding and subtracting 1.5 * 2^23 rounds to an integer and leaves it in the low bits of the sum.
  let rounder: Float = 12_582_912
  let shifted = x * 1.442_695_04 + rounder
  let power = shifted - rounder
  // ln 2 in two parts, so that the remainder keeps all its digits.
  let r = (x - power * 0.693_359_375) + power * 2.121_944_4e-4
  var y = r * 1.987_569_15e-4 + 1.398_199_95e-3
  y = y * r + 8.333_451_9e-3
  y = y * r + 4.166_579_6e-2
  y = y * r + 1.666_666_55e-1
  y = y * r + 5.000_000_1e-1
  y = y * (r * r) + r + 1
  let exponent = unsafeBitCast(shifted, to: SIMD8<UInt32>.self) &<< 23
  let scaled = unsafeBitCast(unsafeBitCast(y, to: SIMD8<UInt32>.self) &+ exponent, to: Lanes.self)
  let result = scaled.replacing(with: 0, where: input .< -87)
  return result.replacing(with: input, where: input .!= input)
}

/// Turns a row of scores into probabilities in place.
///
/// The maximum and the sum of e^(score - maximum) are handed back, because the loss needs them.
@discardableResult
func softmax(_ row: UnsafeMutablePointer<Float>, count: Int) -> (maximum: Float, sum: Float) {
  let whole = count & ~7
  var largest = Lanes(repeating: -.infinity)
  for i in stride(from: 0, to: whole, by: 8) {
    let scores = row.lanes(i)
    largest.replace(with: scores, where: scores .> largest)
  }
  var maximum = -Float.infinity
  for lane in 0..<8 { maximum = max(maximum, largest[lane]) }
  for i in whole..<count { maximum = max(maximum, row[i]) }

  var sums = Lanes()
  for i in stride(from: 0, to: whole, by: 8) {
    let weights = exponential(row.lanes(i) - maximum)
    row.setLanes(i, weights)
    sums += weights
  }
  var sum = sums.total
  if whole < count {
    var rest = Lanes()
    for i in whole..<count { rest[i - whole] = row[i] - maximum }
    let weights = exponential(rest)
    for i in whole..<count {
      row[i] = weights[i - whole]
      sum += weights[i - whole]
    }
  }

  let scale = 1 / sum
  for i in stride(from: 0, to: whole, by: 8) { row.setLanes(i, row.lanes(i) * scale) }
  for i in whole..<count { row[i] *= scale }
  return (maximum, sum)
}

/// `target += source`, for the residual stream and for sums of gradients.
func add(_ source: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>, count: Int) {
  let whole = count & ~7
  for i in stride(from: 0, to: whole, by: 8) { target.setLanes(i, target.lanes(i) + source.lanes(i)) }
  for i in whole..<count { target[i] += source[i] }
}

/// The sum of squares in a fixed order, in Double so that large models do not lose small terms.
func sumOfSquares(_ values: UnsafePointer<Float>, count: Int) -> Double {
  let whole = count & ~7
  var low = SIMD4<Double>()
  var high = SIMD4<Double>()
  for i in stride(from: 0, to: whole, by: 8) {
    let lanes = values.lanes(i)
    let first = SIMD4<Double>(lanes.lowHalf)
    let second = SIMD4<Double>(lanes.highHalf)
    low += first * first
    high += second * second
  }
  let four = low + high
  var sum = (four.x + four.y) + (four.z + four.w)
  for i in whole..<count { sum += Double(values[i]) * Double(values[i]) }
  return sum
}
