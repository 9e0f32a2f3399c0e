import TestSupport
import TileKernels
import XCTest

@testable import BlockQuantization
@testable import LowBitOptimizers

/// Steps with scales per row and column: against plain code, for any shape and any number of threads.
final class RankOneStepTests: XCTestCase {
  private func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }

  private let shapes: [[Int]] = [
    [64, 70], [9, 1000], [1000, 9], [17, 61], [16, 24, 32], [5, 7, 11, 13], [4, 6, 200], [40, 30, 3, 3],
  ]

  /// One step written plainly: decode all, update all, encode all.
  func testAStepEqualsPlainCode() throws {
    var generator = SeededGenerator()
    for shape in shapes {
      let count = shape.reduce(1, *)
      let optimizer = Adam4bit(learningRate: 1e-2, weightDecay: 0.01)
      optimizer.sizeRule.minimumCount = 0
      var parameter = (0..<count).map { _ in generator.normal() }
      let rows = (0..<count / shape.last!).map { _ in exp2(-10 * generator.uniform()) }
      for step in 1...4 {
        let gradient = (0..<count).map { rows[$0 / shape.last!] * generator.normal() }
        let before = parameter
        let zeros = [Float](repeating: 0, count: count)
        let old = optimizer.moments(of: "p") ?? Moments(first: zeros, second: zeros)
        optimizer.update("p", &parameter, along: gradient, shape: shape)

        let exact = Adam32(learningRate: 1e-2, weightDecay: 0.01)
        var expected = before
        exact.update("p", &expected, along: zeros)
        exact.states["p"]!.first.encode(old.first)
        exact.states["p"]!.second!.encode(old.second!)
        exact.states["p"]!.step = step - 1
        // Steps are counted anew after a state has been replaced.
        exact.states["p"] = exact.states["p"]
        expected = before
        exact.update("p", &expected, along: gradient)
        XCTAssertEqual(bits(parameter), bits(expected), "\(shape) step \(step)")
        let moments = try XCTUnwrap(exact.moments(of: "p"))
        let stored = try XCTUnwrap(optimizer.quantizedMoments(of: "p"))
        XCTAssertTrue(
          stored.first == .blocks(BlockQuantizer(.normalFloat4, blockSize: 256).encode(moments.first)), "\(shape)")
        let quantizer = RankOneQuantizer(.linear4Unsigned, shape: shape)
        XCTAssertTrue(stored.second == .rankOne(quantizer.encode(moments.second!)), "\(shape)")
      }
    }
  }

  func testAnyNumberOfThreadsAndEveryKernelSetGiveTheSameBits() throws {
    var generator = SeededGenerator()
    for shape in [[300, 203], [11, 4001], [3001, 10], [20, 30, 51], [64, 31, 3, 3]] {
      let count = shape.reduce(1, *)
      let start = (0..<count).map { _ in generator.normal() }
      let gradients = (0..<3).map { _ in (0..<count).map { _ in generator.wideRange() } }
      var expected: OptimizerSnapshot?
      var expectedParameter: [UInt32] = []
      for kernels in KernelSet.available {
        for threads in 1...8 {
          let optimizer = AdamW4bit()
          optimizer.kernels = kernels
          optimizer.threadCount = threads
          var parameter = start
          for gradient in gradients { optimizer.update("p", &parameter, along: gradient, shape: shape) }
          let snapshot = OptimizerSnapshot(optimizer)
          XCTAssertEqual(snapshot, expected ?? snapshot, "\(kernels.name) \(threads) threads \(shape)")
          if expected != nil {
            XCTAssertEqual(bits(parameter), expectedParameter, "\(kernels.name) \(threads) threads")
          }
          (expected, expectedParameter) = (snapshot, bits(parameter))
        }
      }
    }
  }

  /// A batch of matrices and vectors does what one call a tensor does.
  func testABatchEqualsSingleCalls() throws {
    var generator = SeededGenerator()
    let shapes: [[Int]?] = (0..<60).map { index in
      index % 3 == 0 ? nil : [8 + Int(generator.next() % 60), 9 + Int(generator.next() % 60)]
    }
    let counts = shapes.map { $0?.reduce(1, *) ?? 500 }
    let (single, batch) = (Adam4bit(), Adam4bit())
    for optimizer in [single, batch] {
      optimizer.sizeRule.minimumCount = 0
      optimizer.threadCount = 3
    }
    assertABatchEqualsOneByOne(single, batch, shapes, counts, &generator)
  }

  /// A block with a gradient that is not finite keeps its parameters and its values, but for being rounded again.
  func testASkippedBlockKeepsItsValues() throws {
    var generator = SeededGenerator()
    let shape = [64, 96]
    let count = 64 * 96
    let optimizer = Adam4bit()
    var parameter = (0..<count).map { _ in generator.normal() }
    func gradient() -> [Float] { (0..<count).map { _ in generator.normal() } }
    optimizer.update("p", &parameter, along: gradient(), shape: shape)
    var bad = gradient()
    bad[300] = .nan
    let (before, old) = (parameter, try XCTUnwrap(optimizer.moments(of: "p")))
    let summary = optimizer.update("p", &parameter, along: bad, shape: shape)
    XCTAssertEqual(summary.skippedBlockCount, 1)
    XCTAssertEqual(summary.blockCount, count / 256)
    let new = try XCTUnwrap(optimizer.moments(of: "p"))
    for index in 256..<512 {
      XCTAssertEqual(parameter[index], before[index])
      XCTAssertEqual(new.first[index], old.first[index])
      // Half a level of a scale that is at most the largest second moment.
      XCTAssertEqual(new.second![index], old.second![index], accuracy: new.second!.max()! / 32 * 1.001)
    }
    XCTAssertNotEqual(parameter[255], before[255])
    XCTAssertNotEqual(parameter[512], before[512])
  }

  func testRowsAndColumnsOfZerosAndExtremes() throws {
    let shape = [70, 80]
    var generator = SeededGenerator()
    for scale in [Float(0), .leastNonzeroMagnitude * 700, 1e-30, 1, 1e18, .greatestFiniteMagnitude] {
      let optimizer = AdamW4bit()
      var parameter = (0..<5600).map { _ in generator.normal() }
      for _ in 0..<3 {
        let gradient = (0..<5600).map { $0 / 80 == 3 || $0 % 80 == 5 ? 0 : scale * (2 * generator.uniform() - 1) }
        optimizer.update("p", &parameter, along: gradient, shape: shape)
        let moments = try XCTUnwrap(optimizer.moments(of: "p"))
        XCTAssertTrue(parameter.allSatisfy(\.isFinite), "\(scale)")
        XCTAssertTrue((moments.first + moments.second!).allSatisfy(\.isFinite), "\(scale)")
        for index in 0..<5600 where index / 80 == 3 || index % 80 == 5 { XCTAssertEqual(moments.second![index], 0) }
      }
    }
  }

  func testShapesWithoutScalesPerRowAndColumn() throws {
    var generator = SeededGenerator()
    let values = (0..<6000).map { _ in generator.normal() }
    // Vectors, and matrices whose scales would outgrow their codes.
    for shape in [nil, [6000], [1, 6000], [6000, 1], [2000, 3], [3, 2000]] as [[Int]?] {
      let optimizer = Adam4bit()
      var parameter = values
      optimizer.update("p", &parameter, along: values, shape: shape)
      guard case .blocks? = optimizer.quantizedMoments(of: "p")?.second else { return XCTFail("\(shape ?? [])") }
      XCTAssertEqual(optimizer.stateByteCount, 6000 + 8 * 47)
    }
  }

  func testBytesOfState() throws {
    let values = [Float](repeating: 0.1, count: 1 << 20)
    let (matrix, vector) = (Adam4bit(), Adam4bit())
    var parameter = values
    matrix.update("p", &parameter, along: values, shape: [1024, 1024])
    vector.update("p", &parameter, along: values)
    let chosen = Adam4bit(blockSize: 128)
    chosen.update("p", &parameter, along: values, shape: [1024, 1024])
    XCTAssertEqual(chosen.stateByteCount, 1 << 20 + 4 * (1 << 13) + 4 * 2048)
    XCTAssertEqual(matrix.stateByteCount, 1 << 20 + 4 * (1 << 12) + 4 * 2048)
    XCTAssertEqual(vector.stateByteCount, 1 << 20 + 8 * (1 << 13))
  }
}
