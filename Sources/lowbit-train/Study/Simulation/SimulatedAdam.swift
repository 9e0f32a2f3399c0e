import LowBitOptimizers

/// Adam whose moments are rounded after every step to what a low-bit state would have kept of them.
///
/// What the package does not offer, because it trains badly, can be tried with it. Step by step it does the arithmetic of
/// the package's Adam: with the tables and scales of one of its formats it has the same bits.
final class SimulatedAdam: StudyOptimizer {
  var learningRate: Float = 0
  private let setting: AdamSetting
  private let firstRounding: any MomentRounding
  private let secondRounding: any MomentRounding
  private var states: [ParameterKey: State] = [:]
  /// Moves what the package keeps in 32 bits: a stable embedding.
  private let fullPrecision: Adam32

  /// The moments of one parameter.
  private final class State {
    let shape: [Int]
    var first, second: [Float]
    var step = 0

    init(shape: [Int]) {
      self.shape = shape
      first = [Float](repeating: 0, count: shape.reduce(1, *))
      second = first
    }
  }

  init(_ setting: AdamSetting, first: some MomentRounding, second: some MomentRounding) {
    self.setting = setting
    firstRounding = first
    secondRounding = second
    fullPrecision = setting.configured(Adam32.init)
  }

  /// What the states would take if they were stored.
  var stateByteCount: Int {
    states.values.reduce(fullPrecision.stateByteCount) { sum, state in
      let count = state.first.count
      if count < SizeRule().minimumCount { return sum + 8 * count }
      return sum + firstRounding.byteCount(of: state.shape) + secondRounding.byteCount(of: state.shape)
    }
  }

  func move(_ embedding: StableEmbedding) {
    fullPrecision.learningRate = learningRate
    embedding.update(with: fullPrecision)
  }

  func move(_ tensors: [TensorUpdate]) {
    for tensor in tensors {
      let state = states[tensor.key] ?? State(shape: tensor.shape ?? [tensor.parameter.count])
      states[tensor.key] = state
      state.step += 1
      state.first.withUnsafeMutableBufferPointer { first in
        state.second.withUnsafeMutableBufferPointer { second in
          step(tensor, first, second, number: state.step)
          guard tensor.parameter.count >= SizeRule().minimumCount else { return }
          let moment = RoundedMoment(key: tensor.key, shape: state.shape, step: state.step, setting: setting)
          firstRounding.round(first, of: moment)
          secondRounding.round(second, of: moment)
        }
      }
    }
  }

  /// The moments of a parameter, as the next step will read them; empty before its first.
  func moments(of key: ParameterKey) -> (first: [Float], second: [Float]) {
    (states[key]?.first ?? [], states[key]?.second ?? [])
  }

  private func step(
    _ tensor: TensorUpdate, _ first: UnsafeMutableBufferPointer<Float>, _ second: UnsafeMutableBufferPointer<Float>,
    number: Int
  ) {
    let (beta1, beta2) = (exact(setting.beta1), exact(setting.beta2))
    let correction2 = (1 - power(beta2, number)).squareRoot()
    let stepSize = Float(exact(learningRate) * correction2 / (1 - power(beta1, number)))
    let epsilon = Float(exact(setting.epsilon) * correction2)
    let (keep1, add1, keep2, add2) = (Float(beta1), Float(1 - beta1), Float(beta2), Float(1 - beta2))
    for i in tensor.parameter.indices {
      let g = tensor.gradient[i]
      let m = keep1 * first[i] + add1 * g
      let v = keep2 * second[i] + add2 * (g * g)
      tensor.parameter[i] -= stepSize * (m / (v.squareRoot() + epsilon))
      first[i] = m
      second[i] = v
    }
  }
}

/// The decimal number that was written, as the package reads it.
func exact(_ value: Float) -> Double { Double("\(value)")! }

/// By squaring, as in the package.
func power(_ base: Double, _ exponent: Int) -> Double {
  var (result, square, rest) = (1.0, base, exponent)
  while rest > 0 {
    if rest & 1 == 1 { result *= square }
    square *= square
    rest >>= 1
  }
  return result
}
