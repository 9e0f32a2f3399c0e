import Foundation

/// The loss of a prediction: minus the natural logarithm of the probability that was given to what really came next.
enum SoftmaxLoss {
  /// The sum of the losses of all rows. `scores` become their own gradient times `scale`, in place.
  static func forwardAndBackward(
    _ scores: UnsafeMutablePointer<Float>, targets: [Int32], classes: Int, scale: Float
  ) -> Double {
    var sum = 0.0
    for (index, target) in targets.enumerated() {
      let row = scores + index * classes
      let wanted = row[Int(target)]
      let (maximum, total) = softmax(row, count: classes)
      sum += Double(maximum - wanted) + log(Double(total))
      row[Int(target)] -= 1
      for i in 0..<classes { row[i] *= scale }
    }
    return sum
  }
}
