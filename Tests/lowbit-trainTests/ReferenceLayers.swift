import Foundation

/// The layers again, slow and obvious, in Double: what the fast ones are compared with.
enum Reference {
  static func dense(_ x: [Double], _ weight: [Double], _ bias: [Double], inputs: Int) -> [Double] {
    let outputs = bias.count
    let rows = x.count / inputs
    var y = [Double](repeating: 0, count: rows * outputs)
    for row in 0..<rows {
      for column in 0..<outputs {
        var sum = bias[column]
        for k in 0..<inputs { sum += x[row * inputs + k] * weight[k * outputs + column] }
        y[row * outputs + column] = sum
      }
    }
    return y
  }

  static func layerNorm(_ x: [Double], _ gain: [Double], _ bias: [Double]) -> [Double] {
    let width = gain.count
    var y = x
    for start in stride(from: 0, to: x.count, by: width) {
      var mean = 0.0
      for i in 0..<width { mean += x[start + i] / Double(width) }
      var variance = 0.0
      for i in 0..<width { variance += (x[start + i] - mean) * (x[start + i] - mean) / Double(width) }
      let scale = 1 / (variance + 1e-5).squareRoot()
      for i in 0..<width { y[start + i] = (x[start + i] - mean) * scale * gain[i] + bias[i] }
    }
    return y
  }

  static func gelu(_ x: [Double]) -> [Double] {
    x.map { 0.5 * $0 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) }
  }

  static func attention(_ projections: [Double], width: Int, heads: Int, context: Int) -> [Double] {
    let rows = projections.count / (3 * width)
    let headWidth = width / heads
    var y = [Double](repeating: 0, count: rows * width)
    for row in 0..<rows {
      let first = row - row % context
      for head in 0..<heads {
        let offset = head * headWidth
        var weights: [Double] = []
        for other in first...row {
          var score = 0.0
          for i in 0..<headWidth {
            score += projections[row * 3 * width + offset + i] * projections[other * 3 * width + width + offset + i]
          }
          weights.append(exp(score / Double(headWidth).squareRoot()))
        }
        let sum = weights.reduce(0, +)
        for (index, weight) in weights.enumerated() {
          for i in 0..<headWidth {
            y[row * width + offset + i] +=
              weight / sum * projections[(first + index) * 3 * width + 2 * width + offset + i]
          }
        }
      }
    }
    return y
  }

  /// The mean over all rows.
  static func softmaxLoss(_ scores: [Double], targets: [Int32]) -> Double {
    let classes = scores.count / targets.count
    var loss = 0.0
    for (row, target) in targets.enumerated() {
      var sum = 0.0
      for i in 0..<classes { sum += exp(scores[row * classes + i]) }
      loss += log(sum) - scores[row * classes + Int(target)]
    }
    return loss / Double(targets.count)
  }
}

/// A seeded source of test values; the seed is printed by the assertions that use it.
struct TestValues {
  static let seed: UInt64 = 20_240_601
  private var state: UInt64

  init(_ seed: UInt64 = TestValues.seed) { state = seed }

  /// Evenly distributed between -1 and 1, and exact in Float.
  mutating func next() -> Float {
    // A generator of its own (xorshift), so that the tests do not lean on the one they check.
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Float(Int32(truncatingIfNeeded: state >> 40) % 4096) / 4096
  }

  mutating func array(_ count: Int, scale: Float = 1) -> [Float] { (0..<count).map { _ in next() * scale } }
}
