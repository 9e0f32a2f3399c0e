import Foundation

/// The learning rate over a run: a short rise, then half a cosine wave down to zero.
///
/// Ending at zero matters for the comparison: at a high rate the last loss depends on chance more than on the
/// optimizer.
struct LearningSchedule: Equatable {
  let peak: Float
  let steps: Int

  private var warmUp: Int { max(1, min(50, steps / 10)) }

  /// The rate for `step`, counted from 0.
  func rate(_ step: Int) -> Float {
    if step < warmUp { return peak * Float(step + 1) / Float(warmUp) }
    let progress = Double(step - warmUp) / Double(max(1, steps - warmUp))
    return peak * Float(0.5 * (1 + cos(Double.pi * progress)))
  }
}

extension ParameterStore {
  /// Shortens the whole gradient to the length `limit` when it is longer, and returns the length it had.
  ///
  /// A single bad batch would otherwise throw plain momentum off its course (Pascanu et al., 2013).
  @discardableResult
  func clipGradient(to limit: Double) -> Double {
    let squares = parameters.reduce(0.0) { sum, parameter in
      sum + sumOfSquares(parameter.gradient.baseAddress!, count: parameter.gradient.count)
    }
    let length = squares.squareRoot()
    if length > limit {
      let factor = Float(limit / length)
      for i in 0..<layout.capacity { gradients[i] *= factor }
    }
    return length
  }
}
