import TestSupport
import TileKernels
import XCTest

@testable import BlockQuantization

extension AdamConstants {
  /// No decay, a decoupled one, and both.
  static var ofEachKind: [AdamConstants] {
    [(Float(0), Float(0)), (0, 1e-5), (0.01, 1e-5)].map { coupled, decoupled in
      AdamConstants(
        beta1: 0.9, oneMinusBeta1: 0.1, beta2: 0.999, oneMinusBeta2: 0.001, stepSize: 1e-3, scaledEpsilon: 3e-10,
        coupledDecay: coupled, decoupledDecay: decoupled)
    }
  }

  /// Adding zero times one of these changes it, or what it is added to.
  static let specialParameters: [Float] = [-0.0, .infinity, -.infinity, .nan]
}

extension MomentumConstants {
  /// With and without decay and Nesterov's direction.
  static var ofEachKind: [MomentumConstants] {
    [(Float(0), Float(0), Float(1)), (0.01, 0, 1), (0, 1, 0.9), (0.01, 1, 0.9)].map { decay, ofGradient, ofBuffer in
      MomentumConstants(
        bufferFactor: 0.9, gradientFactor: 0.8, directionOfGradient: ofGradient, directionOfBuffer: ofBuffer,
        learningRate: 0.1, coupledDecay: decay)
    }
  }
}

/// A term of decay that is zero is left out, in every kernel set: computing it would turn -0 into 0 and infinity into no
/// number.
final class DecayTermsTests: XCTestCase {
  /// NaNs count as equal, since no rule promises a payload.
  private func bits(_ values: [Float]) -> [UInt32] { values.map { $0.isNaN ? 0x7fc0_0000 : $0.bitPattern } }

  private let count = 150

  private var parameters: [Float] {
    (0..<count).map { $0 % 3 == 0 ? AdamConstants.specialParameters[$0 / 3 % 4] : Float($0) - 70 }
  }

  /// Parameters and moments by the rule in plain scalar code.
  private func expected(_ gradients: [Float], _ m: [Float], _ v: [Float], _ constants: AdamConstants) -> [[UInt32]] {
    var (p, m, v) = (parameters, m, v)
    for i in 0..<count {
      var gradient = gradients[i]
      if constants.coupledDecay != 0 { gradient += constants.coupledDecay * p[i] }
      m[i] = constants.beta1 * m[i] + constants.oneMinusBeta1 * gradient
      v[i] = constants.beta2 * v[i] + constants.oneMinusBeta2 * (gradient * gradient)
      if constants.decoupledDecay != 0 { p[i] -= constants.decoupledDecay * p[i] }
      p[i] -= constants.stepSize * (m[i] / (v[i].squareRoot() + constants.scaledEpsilon))
    }
    return [bits(p), bits(m), bits(v)]
  }

  func testAdam() {
    var generator = SeededGenerator()
    for constants in AdamConstants.ofEachKind {
      for isStill in [true, false] {
        let gradients = (0..<count).map { _ in isStill ? 0 : generator.normal() }
        let oldM = (0..<count).map { _ in isStill ? 0 : generator.normal() }
        let oldV = (0..<count).map { _ in generator.normal().magnitude }
        let expected = expected(gradients, oldM, oldV, constants)
        for kernels in KernelSet.available {
          var (p, m, v) = (parameters, oldM, oldV)
          _ = kernels.adam(&p, gradients, &m, &v, count, constants)
          XCTAssertEqual([bits(p), bits(m), bits(v)], expected, "\(kernels.name) \(constants.decayTerms)")
          if isStill && constants.decayTerms == .none { XCTAssertEqual(bits(p), bits(parameters), kernels.name) }
        }
      }
    }
  }

  /// The parameters among them are infinite and no numbers: what is left out must not touch them or the buffer.
  func testMomentum() {
    var generator = SeededGenerator()
    for constants in MomentumConstants.ofEachKind {
      let gradients = (0..<count).map { $0 % 2 == 0 ? -0.0 : generator.normal() }
      let codes = (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
      let old = codes.map { Codebook.dynamic8.values[Int($0)] * 0.5 }
      var (p, b) = (parameters, old)
      for i in 0..<count {
        let g = constants.coupledDecay != 0 ? gradients[i] + constants.coupledDecay * p[i] : gradients[i]
        b[i] = constants.bufferFactor * b[i] + constants.gradientFactor * g
        let direction =
          constants.directionOfGradient != 0
          ? constants.directionOfGradient * g + constants.directionOfBuffer * b[i] : b[i]
        p[i] -= constants.learningRate * direction
      }
      for kernels in KernelSet.available {
        var (newP, newB) = (parameters, old)
        _ = kernels.momentum(&newP, gradients, &newB, count, constants)
        XCTAssertEqual([bits(newP), bits(newB)], [bits(p), bits(b)], "\(kernels.name) \(constants)")
        newB = old
        kernels.momentumBuffers(parameters, gradients, &newB, count, constants)
        XCTAssertEqual(bits(newB), bits(b), "\(kernels.name) \(constants)")
      }
    }
  }
}
