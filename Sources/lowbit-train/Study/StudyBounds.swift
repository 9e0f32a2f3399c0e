/// How close to 32 bits the study expects an optimizer to stay, over all seeds of a task.
struct StudyBounds: Equatable, Sendable {
  /// The share by which the mean of the final metric may be worse.
  let metric: Double
  /// The share by which the largest loss after the warm-up may be above the largest in 32 bits; nil for any.
  let largestLoss: Double?

  static let bits8 = StudyBounds(metric: 0.01, largestLoss: 0.1)
  static let bits4 = StudyBounds(metric: 0.02, largestLoss: nil)
  /// 4 bits for the first moment, 2 for the second.
  static let bits4And2 = StudyBounds(metric: 0.03, largestLoss: nil)
  static let bits2 = StudyBounds(metric: 0.06, largestLoss: nil)
}
