import LowBitOptimizers

/// A way to keep Adam's moments, to be compared with others.
struct MomentScheme: Sendable {
  /// The table that it belongs to.
  enum Group: String, CaseIterable, Sendable {
    case fullPrecision = "32-bit"
    case firstMoment = "first-moment"
    case secondMoment = "second-moment"
    case combined
    case momentum

    var title: String {
      switch self {
      case .fullPrecision: "Both moments in 32 bits"
      case .firstMoment: "First moment in 4 bits; second: linear4 per row and column"
      case .secondMoment: "Second moment in 4 bits; first: dynamic4 in blocks of 128"
      case .combined: "Both"
      case .momentum: "Scale of the first moment, and β1; second: logarithmic"
      }
    }
  }

  /// Its name in files.
  let name: String
  let title: String
  let group: Group
  var beta1: Float = 0.9
  /// The learning rate as a multiple of the task's.
  var rateFactor: Float = 1
  /// - Parameter seed: of the roundings that are random.
  let make: @Sendable (_ seed: UInt64) -> any StudyOptimizer
}
