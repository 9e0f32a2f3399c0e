import BlockQuantization
import TestSupport
import TileKernels
import XCTest

@testable import LowBitOptimizers

/// Steps with a second moment of row and column means: against plain loops in Double, for any shape and number of threads.
final class FactoredStepTests: XCTestCase {
  private func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }

  /// One row, one column, odd sizes, batches of matrices, several tiles beside and above each other.
  private let shapes: [[Int]] = [
    [64, 70], [17, 61], [9, 1000], [1000, 9], [1, 300], [300, 1], [1, 1], [5, 1, 37], [5, 37, 1], [3, 17, 61],
    [2, 3, 16, 24], [2, 1, 3, 20, 25], [20, 2100], [530, 260], [3, 260, 300],
  ]

  /// As different from row to row and from column to column as real gradients are.
  private func gradient(_ shape: [Int], _ generator: inout SeededGenerator) -> [Float] {
    let (n, m) = (shape[shape.count - 2], shape[shape.count - 1])
    return (0..<shape.reduce(1, *)).map {
      exp2(-Float($0 / m % n % 7)) * exp2(-Float($0 % m % 5)) * generator.normal()
    }
  }

  /// The parameters within 2e-6 of themselves and of the distance gone, the means within 1e-5 of themselves.
  private func assertEqual(
    _ optimizer: LowBitOptimizer, _ parameter: [Float], _ oracle: FactoredOracle, _ start: [Float], _ what: String,
    line: UInt = #line
  ) throws {
    let moment = try XCTUnwrap(optimizer.factoredMoment(of: "p"))
    for (means, expected) in [(moment.rowMeans, oracle.rows), (moment.columnMeans, oracle.columns)] {
      let wrong = zip(means, expected).first { (Double($0) - $1).magnitude > 1e-5 * $1 + 1e-44 }
      XCTAssertNil(wrong, what, line: line)
    }
    let wrong = parameter.indices.first {
      let expected = oracle.parameter[$0]
      let size = max(expected.magnitude, Double(start[$0].magnitude))
      return !((Double(parameter[$0]) - expected).magnitude <= 2e-6 * size)
    }
    XCTAssertNil(wrong, what, line: line)
  }

  func testManyStepsEqualTheFormulasInDouble() throws {
    var generator = SeededGenerator()
    let makers: [() -> LowBitOptimizer] = [
      { AdamMixed(firstMoment: .float32, secondMoment: .factored, learningRate: 1e-2, weightDecay: 0.1) },
      { AdamWMixed(firstMoment: .float32, secondMoment: .factored, learningRate: 1e-2, beta1: 0.5, beta2: 0.9) },
      {
        AdamWMixed(
          firstMoment: .float32, secondMoment: .factored, learningRate: 1e-3, epsilon: 1e-4, weightDecay: 0,
          biasCorrection: false)
      },
    ]
    for shape in shapes {
      for (index, make) in makers.enumerated() {
        let optimizer = make()
        optimizer.makeFactoredState("p", shape: shape)
        // Away from 0, where a relative difference means nothing.
        var parameter = (0..<shape.reduce(1, *)).map { _ in 1 + generator.uniform() }
        let start = parameter
        var oracle = FactoredOracle(optimizer, shape: shape, parameter: parameter)
        for step in 1...(parameter.count > 10_000 ? 4 : 25) {
          let gradient = gradient(shape, &generator)
          optimizer.update("p", &parameter, along: gradient, shape: shape)
          oracle.update(along: gradient)
          try assertEqual(optimizer, parameter, oracle, start, "\(shape), optimizer \(index), step \(step)")
        }
      }
    }
  }

  /// Beside any first moment: its new values are encoded as those of a step with any other second moment.
  func testEveryFirstMoment() throws {
    let formats: [FirstMomentFormat] = [
      .dynamic8, .normalFloat4, .dynamic4.scaled(by: .signedExtreme), .normalFloat4.perRowAndColumn, .dynamic3,
      .dynamic2,
    ]
    for format in formats {
      var generator = SeededGenerator("\(#function) \(format.bits)")
      for shape in [[64, 70], [17, 61], [2, 5, 40, 30]] {
        let (tested, other) = (
          AdamMixed(firstMoment: format, secondMoment: .factored, beta1: 0.9),
          AdamMixed(firstMoment: format, secondMoment: .float32, beta1: 0.9, blockSize: format.bits == 8 ? 128 : nil)
        )
        let count = shape.reduce(1, *)
        var parameters = (0..<2).map { _ in [Float](repeating: 1.5, count: count) }
        for optimizer in [tested, other] { optimizer.sizeRule.minimumCount = 0 }
        for step in 1...4 {
          let gradient = gradient(shape, &generator)
          let before = parameters[0]
          var oracle = FactoredOracle(tested, shape: shape, parameter: before)
          oracle.step = step - 1
          if let old = tested.moments(of: "p"), let means = tested.factoredMoment(of: "p") {
            oracle.first = old.first.map { Double($0) }
            (oracle.rows, oracle.columns) = (means.rowMeans.map { Double($0) }, means.columnMeans.map { Double($0) })
          }
          tested.update("p", &parameters[0], along: gradient, shape: shape)
          other.update("p", &parameters[1], along: gradient, shape: shape)
          oracle.update(along: gradient)
          try assertEqual(tested, parameters[0], oracle, before, "\(format) \(shape) \(step)")
          XCTAssertTrue(
            tested.quantizedMoments(of: "p")?.first == other.quantizedMoments(of: "p")?.first, "\(format) \(shape)")
        }
      }
    }
  }

  /// A matrix without any gradient so far, in which the published code divides 0 by 0: its parameters stay where they are,
  /// and move as Adam's once there is a gradient. So do rows and columns of zeros.
  func testWhatHasSeenNoGradient() throws {
    var generator = SeededGenerator()
    let shape = [3, 20, 30]
    let optimizer = AdamMixed(firstMoment: .float32, secondMoment: .factored)
    optimizer.sizeRule.minimumCount = 0
    var parameter = (0..<1800).map { _ in 1 + generator.uniform() }
    let start = parameter
    var oracle = FactoredOracle(optimizer, shape: shape, parameter: parameter)
    for step in 1...12 {
      let gradient = (0..<1800).map { index in
        let isZero = index / 600 == 1 && step < 6 || index / 600 == 2 || index / 30 == 4 || index % 30 == 7
        return isZero ? 0 : generator.normal()
      }
      optimizer.update("p", &parameter, along: gradient, shape: shape)
      oracle.update(along: gradient)
      try assertEqual(optimizer, parameter, oracle, start, "step \(step)")
      let moments = try XCTUnwrap(optimizer.moments(of: "p"))
      XCTAssertTrue(moments.second!.allSatisfy { $0.isFinite && $0 >= 0 })
      for index in 0..<1800 where index / 600 == 2 || index / 30 == 4 || index % 30 == 7 {
        XCTAssertEqual(parameter[index], start[index])
        XCTAssertEqual(moments.second![index], 0)
      }
      if step < 6 { XCTAssertTrue(Array(parameter[600..<1200]) == Array(start[600..<1200])) }
    }
    XCTAssertNotEqual(parameter[610], start[610])
  }

  /// Zeros, outliers, subnormals, the largest floats, squares that overflow.
  func testSpecialGradients() throws {
    for format in [FirstMomentFormat.float32, .normalFloat4] {
      for (kind, gradient) in LowBitStepTests.specialGradients {
        var generator = SeededGenerator(quietly: 7)
        let optimizer = AdamMixed(firstMoment: format, secondMoment: .factored)
        optimizer.sizeRule.minimumCount = 0
        let start = (0..<420).map { _ in generator.normal() }
        var parameter = start
        for step in 1...6 {
          let gradient = (0..<420).map { gradient($0, generator.normal()) }
          optimizer.update("p", &parameter, along: gradient, shape: [20, 21])
          let moments = try XCTUnwrap(optimizer.moments(of: "p"))
          let means = try XCTUnwrap(optimizer.factoredMoment(of: "p"))
          let all = parameter + moments.first + moments.second! + means.rowMeans + means.columnMeans
          XCTAssertTrue(all.allSatisfy(\.isFinite), "\(kind), step \(step)")
          XCTAssertTrue(moments.second!.allSatisfy { $0 >= 0 }, kind)
        }
        if kind == "zeros" { XCTAssertTrue(bits(parameter) == bits(start)) }
      }
    }
  }

  /// One magnitude everywhere: then rows and columns say all, and the step is that of Adam with its own second moments.
  func testGradientsOfOneMagnitudeMoveAsAdam() throws {
    for scale in [Float(1e-15), 1e-6, 1, 1e10, 1e18] {
      let tested = AdamMixed(firstMoment: .float32, secondMoment: .factored, learningRate: 0.1)
      let adam = Adam32(learningRate: 0.1)
      tested.sizeRule.minimumCount = 0
      var (a, b) = ([Float](repeating: 1, count: 1000), [Float](repeating: 1, count: 1000))
      for step in 0..<10 {
        let gradient = (0..<1000).map { ($0 + step) % 3 == 0 ? -scale : scale }
        tested.update("p", &a, along: gradient, shape: [25, 40])
        adam.update("p", &b, along: gradient)
      }
      XCTAssertLessThan(zip(a, b).map { ($0 - $1).magnitude }.max()!, 1e-6, "\(scale)")
    }
  }

  func testAnyNumberOfThreadsAndEveryKernelSetGiveTheSameBits() throws {
    var generator = SeededGenerator()
    for shape in [[300, 203], [11, 4001], [3001, 10], [20, 30, 51], [700, 1030], [64, 31, 9, 80]] {
      let count = shape.reduce(1, *)
      let start = (0..<count).map { _ in generator.normal() }
      var gradients = (0..<3).map { _ in (0..<count).map { _ in generator.wideRange() } }
      for index in stride(from: 1000, to: count, by: 3777) { gradients[1][index] = .infinity }
      var expected: OptimizerSnapshot?
      var expectedParameter: [UInt32] = []
      for kernels in KernelSet.available {
        for threads in count > 500_000 ? [1, 2, 5] : Array(1...8) {
          let optimizer = AdamMixed(firstMoment: .normalFloat4, secondMoment: .factored, weightDecay: 0.01)
          optimizer.kernels = kernels
          optimizer.threadCount = threads
          var parameter = start
          for gradient in gradients { optimizer.update("p", &parameter, along: gradient, shape: shape) }
          let snapshot = OptimizerSnapshot(optimizer)
          XCTAssertTrue(snapshot == expected ?? snapshot, "\(kernels.name) \(threads) threads \(shape)")
          if expected != nil {
            XCTAssertTrue(bits(parameter) == expectedParameter, "\(kernels.name) \(threads) threads \(shape)")
          }
          (expected, expectedParameter) = (snapshot, bits(parameter))
        }
      }
    }
  }

  /// A batch of matrices, vectors and tables of other formats does what one call a tensor does, whatever their order.
  func testABatchEqualsSingleCalls() throws {
    var generator = SeededGenerator()
    let shapes: [[Int]?] = (0..<60).map { index in
      switch index % 4 {
      case 0: nil
      case 1: [2, 18 + Int(generator.next() % 40), 19 + Int(generator.next() % 40)]
      default: [18 + Int(generator.next() % 60), 19 + Int(generator.next() % 60)]
      }
    }
    let counts = shapes.map { $0?.reduce(1, *) ?? 500 }
    func make() -> LowBitOptimizer {
      let optimizer = AdamWMixed(firstMoment: .normalFloat4.perRowAndColumn, secondMoment: .factored)
      optimizer.sizeRule.minimumCount = 0
      optimizer.sizeRule.keep32Bit("7")
      optimizer.threadCount = 3
      return optimizer
    }
    let (single, batch) = (make(), make())
    assertABatchEqualsOneByOne(single, batch, shapes, counts, &generator)
  }
}
