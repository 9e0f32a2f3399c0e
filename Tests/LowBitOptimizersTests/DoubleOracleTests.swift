import LowBitOptimizers
import TestSupport
import XCTest

/// 32-bit optimizers against the same rules in Double, at settings far from the defaults.
final class DoubleOracleTests: XCTestCase {
  private let count = 300

  private func run(
    _ optimizer: LowBitOptimizer, _ name: String, oracle: (inout [Double], [Double], Int) -> Void
  ) {
    var generator = SeededGenerator(name)
    var parameter = (0..<count).map { _ in generator.normal() }
    var exact = parameter.map(Double.init)
    let start = exact
    for step in 1...100 {
      let gradient = (0..<count).map { _ in 0.3 * generator.normal() + 0.1 }
      optimizer.update("p", &parameter, along: gradient)
      oracle(&exact, gradient.map(Double.init), step)
    }
    // Rounding p itself a hundred times moves single elements by more than 1e-6 of themselves, in any float32 optimizer;
    // so the bound is on the difference as a whole, and on its largest element against the largest parameter.
    let difference = zip(parameter, exact).map { Double($0) - $1 }
    let size = norm(exact)
    XCTAssertLessThan(norm(difference), 1e-6 * size, name)
    let largest = zip(exact, start).map { max($0.magnitude, $1.magnitude) }.max()!
    XCTAssertLessThan(difference.map(\.magnitude).max()!, 2e-6 * largest, name)
  }

  private func norm(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }

  func testAdamFamily() {
    for (learningRate, beta1, beta2, epsilon) in [
      (1e-3, 0.9, 0.999, 1e-8), (0.02, 0.5, 0.9, 1e-4), (1e-2, 0, 0.99, 1e-2), (3e-3, 0.95, 0.5, 1e-10),
    ] as [(Double, Double, Double, Double)] {
      for weightDecay in [0, 0.01, 0.1] {
        for corrected in [true, false] {
          for decoupled in [true, false] {
            let name =
              "lr \(learningRate), β \(beta1) \(beta2), ε \(epsilon), λ \(weightDecay), \(corrected), \(decoupled)"
            let make =
              decoupled
              ? AdamW32.init(learningRate:beta1:beta2:epsilon:weightDecay:biasCorrection:blockSize:)
              : Adam32.init(learningRate:beta1:beta2:epsilon:weightDecay:biasCorrection:blockSize:)
            let optimizer: AdamOptimizer = make(
              Float(learningRate), Float(beta1), Float(beta2), Float(epsilon), Float(weightDecay), corrected, nil)
            var m = [Double](repeating: 0, count: count)
            var v = m
            run(optimizer, name) { parameter, gradient, step in
              for i in parameter.indices {
                var g = gradient[i]
                if decoupled { parameter[i] *= 1 - learningRate * weightDecay } else { g += weightDecay * parameter[i] }
                m[i] = beta1 * m[i] + (1 - beta1) * g
                v[i] = beta2 * v[i] + (1 - beta2) * g * g
                let correction1 = corrected ? 1 - pow(beta1, Double(step)) : 1
                let correction2 = corrected ? 1 - pow(beta2, Double(step)) : 1
                parameter[i] -= learningRate * (m[i] / correction1) / ((v[i] / correction2).squareRoot() + epsilon)
              }
            }
          }
        }
      }
    }
  }

  func testMomentumFamily() {
    for (learningRate, momentum, dampening) in [(0.1, 0.9, 0), (0.01, 0.5, 0.1), (0.02, 0.99, 1), (0.1, 0, 0.3)] {
      for weightDecay in [0, 0.01, 0.1] {
        for nesterov in [false, true] {
          let name = "lr \(learningRate), μ \(momentum), dampening \(dampening), λ \(weightDecay), \(nesterov)"
          let optimizer = Momentum32(
            learningRate: Float(learningRate), momentum: Float(momentum), dampening: Float(dampening),
            nesterov: nesterov, weightDecay: Float(weightDecay))
          var b = [Double](repeating: 0, count: count)
          run(optimizer, name) { parameter, gradient, step in
            for i in parameter.indices {
              let g = gradient[i] + weightDecay * parameter[i]
              b[i] = step == 1 ? g : momentum * b[i] + (1 - dampening) * g
              parameter[i] -= learningRate * (nesterov ? g + momentum * b[i] : b[i])
            }
          }
        }
      }
    }
  }
}
