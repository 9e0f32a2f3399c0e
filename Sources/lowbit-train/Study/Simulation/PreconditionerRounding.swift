import LowBitOptimizers
import ProgramSupport

/// Rounds a second moment up or down at random, so that what Adam divides by it keeps its mean.
///
/// With h(v) = 1 / (√(v / (1 − β2^t)) + ε), a value between the levels a and b becomes a with the probability
/// (h(v) − h(b)) / (h(a) − h(b)): the mean of h over both is h(v). A level of zero is then next to never taken by a value
/// that is not zero. One scale, the largest value, for every 128 values.
struct PreconditionerRounding: MomentRounding {
  /// Ascending from 0 to 1; at most 16.
  let levels: [Float]
  let seed: UInt64

  private static let blockSize = 128

  func byteCount(of shape: [Int]) -> Int {
    let count = shape.reduce(1, *)
    return (count + 1) / 2 + 4 * ((count + Self.blockSize - 1) / Self.blockSize)
  }

  func round(_ values: UnsafeMutableBufferPointer<Float>, of moment: RoundedMoment) {
    var random = SplitMix64(seed: seed, stream: "\(moment.key) \(moment.step)")
    let correction = 1 / (1 - power(exact(moment.setting.beta2), moment.step)).squareRoot()
    let epsilon = exact(moment.setting.epsilon)
    let preconditioner = { (value: Double) in 1 / (value.squareRoot() * correction + epsilon) }
    var (scaled, heights) = (levels, levels.map(Double.init))
    for start in stride(from: 0, to: values.count, by: Self.blockSize) {
      let block = start..<min(start + Self.blockSize, values.count)
      let scale = values[block].reduce(0, max)
      guard scale >= .leastNormalMagnitude, scale < .infinity else {
        if scale < .leastNormalMagnitude { for i in block { values[i] = 0 } }
        continue
      }
      for code in levels.indices {
        scaled[code] = levels[code] * scale
        heights[code] = preconditioner(Double(scaled[code]))
      }
      for i in block where values[i] > 0 && values[i] < scale {
        let value = values[i]
        var upper = 1
        while value > scaled[upper] { upper += 1 }
        let lowerShare =
          (preconditioner(Double(value)) - heights[upper]) / (heights[upper - 1] - heights[upper])
        values[i] = scaled[random.nextUniform() < lowerShare ? upper - 1 : upper]
      }
    }
  }
}
