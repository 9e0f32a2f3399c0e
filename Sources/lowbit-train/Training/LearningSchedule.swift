import Foundation

/// The learning rate over a run: a short rise, then half a cosine wave down to zero.
///
/// Ending at zero matters for the comparison: at a high rate the last loss depends on chance more than on the
/// optimizer.
struct LearningSchedule: Equatable {
  let peak: Float
  let steps: Int

  /// Steps of the rise.
  var warmUp: Int { max(1, min(50, steps / 10)) }

  /// The rate for `step`, counted from 0.
  func rate(_ step: Int) -> Float {
    if step < warmUp { return peak * Float(step + 1) / Float(warmUp) }
    let progress = Double(step - warmUp) / Double(max(1, steps - warmUp))
    return peak * Float(0.5 * (1 + cos(Double.pi * progress)))
  }
}
