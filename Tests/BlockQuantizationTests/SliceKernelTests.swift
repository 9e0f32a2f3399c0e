import TestSupport
import TileKernels
import XCTest

@testable import BlockQuantization

/// The stages of scales per row and column, in every kernel set, against their definition.
final class SliceKernelTests: XCTestCase {
  private let shapes = [
    [7, 300], [300, 7], [1, 500], [500, 1], [5, 6, 20], [4, 3, 5, 7], [2, 1, 1, 3, 40], [33, 33],
  ]

  /// Where the slices of each element lie among all vectors.
  private func places(_ shape: [Int]) -> [[Int]] {
    (0..<shape.reduce(1, *)).map { element in
      var rest = element
      var end = shape.reduce(0, +)
      var places: [Int] = []
      for length in shape.reversed() {
        end -= length
        places.append(end + rest % length)
        rest /= length
      }
      return places
    }
  }

  private var memory = [Int](repeating: 0, count: 20)

  private func forEachPart(_ count: Int, _ body: (Int, Int) -> Void) {
    for start in [0, 2, 30, 128, 254] {
      for length in [0, 1, 2, 7, 64, 127, 128] where start + length <= count { body(start, length) }
    }
  }

  func testSmallestAndLargestOfSlices() {
    var generator = SeededGenerator()
    for dimensions in shapes {
      let shape = SliceShape(dimensions)
      let places = places(dimensions)
      let vectors = (0..<shape.sliceCount).map { _ in generator.wideRange().magnitude }
      forEachPart(places.count) { start, count in
        let elements = places[start..<start + count]
        let smallest = elements.map { $0.map { vectors[$0] }.min()! }
        let largest = elements.map { $0.map { vectors[$0] }.max()! }
        let values = (0..<count).map { _ in generator.normal() }
        for kernels in KernelSet.available {
          var scaled = values + [7]
          kernels.scaleBySmallest(&scaled, vectors, shape.geometry, start, count, &memory)
          XCTAssertEqual(scaled, zip(values, smallest).map { $0 * $1 } + [7], "\(kernels.name) \(dimensions) \(start)")
          scaled = values + [7]
          kernels.scaleByLargest(&scaled, vectors, shape.geometry, start, count, &memory)
          XCTAssertEqual(scaled, zip(values, largest).map { $0 * $1 } + [7], "\(kernels.name) \(dimensions) \(start)")
        }
      }
    }
  }

  func testRaisingSlices() {
    var generator = SeededGenerator()
    for dimensions in shapes {
      let shape = SliceShape(dimensions)
      let places = places(dimensions)
      forEachPart(places.count) { start, count in
        let values = (0..<count).map { _ in generator.wideRange() }
        var expected = (0..<shape.sliceCount).map { _ in magnitudeBits(0.01 * generator.wideRange()) }
        let before = expected
        for (value, places) in zip(values, places[start...]) {
          for place in places { expected[place] = max(expected[place], magnitudeBits(value)) }
        }
        for kernels in KernelSet.available {
          var maxima = before
          kernels.raiseSlices(values, shape.geometry, start, count, &maxima, &memory)
          XCTAssertEqual(maxima, expected, "\(kernels.name) \(dimensions) \(start) \(count)")
        }
      }
    }
  }

  /// The moments that a rule makes alone are those that it makes while it moves the parameters.
  func testMomentsAlone() {
    var generator = SeededGenerator()
    for decay in [Float(0), 0.01] {
      let adam = AdamConstants(
        beta1: 0.9, oneMinusBeta1: 0.1, beta2: 0.999, oneMinusBeta2: 0.001, stepSize: 1e-3, scaledEpsilon: 3e-10,
        coupledDecay: decay, decoupledDecay: 1e-5)
      let momentum = MomentumConstants(
        bufferFactor: 0.9, gradientFactor: 0.8, directionOfGradient: 1, directionOfBuffer: 0.9, learningRate: 0.1,
        coupledDecay: decay)
      for count in [0, 1, 7, 8, 31, 128, 1001] {
        let p = (0..<count).map { _ in generator.normal() }
        let g = (0..<count).map { _ in generator.wideRange() }
        let m = (0..<count).map { _ in generator.normal() }
        let v = (0..<count).map { _ in generator.normal().magnitude }
        for kernels in KernelSet.available {
          var (movedP, newM, newV) = (p, m, v)
          _ = kernels.adam(&movedP, g, &newM, &newV, count, adam)
          var (aloneM, aloneV) = (m, v)
          kernels.adamFirstMoments(p, g, &aloneM, count, adam)
          kernels.adamSecondMoments(p, g, &aloneV, count, adam)
          XCTAssertEqual(aloneM, newM, kernels.name)
          XCTAssertEqual(aloneV, newV, kernels.name)
          var (aloneB, newB) = (m, m)
          movedP = p
          _ = kernels.momentum(&movedP, g, &newB, count, momentum)
          kernels.momentumBuffers(p, g, &aloneB, count, momentum)
          XCTAssertEqual(aloneB, newB, kernels.name)
        }
      }
    }
  }
}
