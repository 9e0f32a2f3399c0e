import BlockQuantization
import TestSupport
import XCTest

@testable import LowBitOptimizers

/// The factored variant of the 4-bit paper against its published formulas in another language.
///
/// The file was made by some 60 lines of numpy in float32, written from a description of the paper's code and not from it:
/// AdamW with a learning rate of 0.01, a decay of 0.01 and defaults otherwise; R ← β2·R + (1 − β2)·mean(g²) over the last
/// dimension, C over the one before it, v̂ = (R / mean(R)) ⊗ C; the first moment in float32, or rounded after each step to the
/// paper's 4-bit map in blocks of 128. It holds one start and 12 gradients, of 960 elements whose magnitudes differ by row and
/// column, taken as 24 × 40, as 3 × 16 × 20 and as 1 × 3 × 20 × 16, and what came out at steps 1, 5 and 12.
final class FactoredTrajectoryTests: XCTestCase {
  func testPublishedFormulas() throws {
    let golden = try Safetensors(
      Bundle.module.url(forResource: "Golden/factored_adamw", withExtension: "safetensors")!)
    let gradients = golden.floats("grads")
    for (name, shape) in [("2d", [24, 40]), ("3d", [3, 16, 20]), ("4d", [1, 3, 20, 16])] {
      for (bits, first) in [(32, FirstMomentFormat.float32), (4, .dynamic4)] {
        let optimizer = AdamWMixed(firstMoment: first, secondMoment: .factored, learningRate: 0.01, weightDecay: 0.01)
        optimizer.sizeRule.minimumCount = 0
        let start = golden.floats("p0")
        var parameter = start
        var snapshots = 0
        for step in 1...12 {
          let gradient = Array(gradients[(step - 1) * 960..<step * 960])
          optimizer.update("p", &parameter, along: gradient, shape: shape)
          let place = "\(name)/\(bits)/step\(step)"
          guard golden.contains("\(place)/p") else { continue }
          snapshots += 1
          let expected = golden.floats("\(place)/p")
          // 1e-6 of the parameter, or of where it came from: both sides round it at each step on its way.
          let worst = parameter.indices.map { index in
            (parameter[index] - expected[index]).magnitude
              / max(expected[index].magnitude, start[index].magnitude, 0.1)
          }.max()!
          XCTAssertLessThanOrEqual(worst, 1e-6, place)
          let moment = try XCTUnwrap(optimizer.factoredMoment(of: "p"))
          for (part, means) in [("rows", moment.rowMeans), ("columns", moment.columnMeans)] {
            let expected = golden.floats("\(place)/\(part)")
            XCTAssertEqual(means.count, expected.count)
            XCTAssertNil(zip(means, expected).first { ($0 - $1).magnitude > 1e-6 * $1 }, "\(place)/\(part)")
          }
        }
        XCTAssertEqual(snapshots, 3)
      }
    }
  }
}
