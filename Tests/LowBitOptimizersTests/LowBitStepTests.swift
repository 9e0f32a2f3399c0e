import CheckpointWorker
import Foundation
import TestSupport
import TileKernels
import XCTest

@testable import BlockQuantization
@testable import LowBitOptimizers

/// Steps of every optimizer and every format against the same written plainly: decode all, update all, encode all.
final class LowBitStepTests: XCTestCase {
  private func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }

  /// What a step must leave behind.
  private struct PlainStep {
    var parameter: [Float]
    var first: EncodedMoment?
    var second: EncodedMoment?
    /// Before they were encoded.
    var exact: Moments

    init(_ optimizer: LowBitOptimizer, _ parameter: [Float], along gradient: [Float], shape: [Int]) throws {
      let zeros = [Float](repeating: 0, count: parameter.count)
      let old =
        optimizer.moments(of: "p") ?? Moments(first: zeros, second: optimizer.formats.second == nil ? nil : zeros)
      let step = optimizer.stepCount(of: "p") + 1
      let twin = LowBitOptimizer(
        learningRate: optimizer.learningRate, rule: optimizer.rule, formats: optimizer.formats.in32Bit)
      let state = ParameterState(
        key: "p", count: parameter.count, shape: nil, formats: twin.formats, reason: .optimizerIs32Bit)
      state.first.encode(old.first)
      if let second = old.second { state.second!.encode(second) }
      state.step = step - 1
      twin.states["p"] = state
      self.parameter = parameter
      twin.update("p", &self.parameter, along: gradient)
      exact = try XCTUnwrap(twin.moments(of: "p"))
      let formats = optimizer.formats.fitting(shape)
      func encoded(_ format: MomentFormat, _ values: [Float], _ moment: Int) -> EncodedMoment? {
        switch format {
        case .float32: return nil
        case .blocks(let quantizer): return .blocks(quantizer.encode(values))
        case .rankOne(let codebook): return .rankOne(RankOneQuantizer(codebook, shape: shape).encode(values))
        case .logarithmic(let quantizer):
          let stream = RandomStream(
            seed: optimizer.seed, keyHash: RandomStream.hash(of: "p"), moment: moment, step: step)
          return .logarithmic(quantizer.encode(values, stream, .current))
        case .factored: fatalError("a step makes no second moment to encode: see FactoredStepTests")
        }
      }
      first = encoded(formats.first, exact.first, 1)
      second = formats.second.flatMap { encoded($0, exact.second!, 2) }
    }
  }

  /// A step in both ways. Returns the moments before they were encoded.
  private func checkedStep(
    _ optimizer: LowBitOptimizer, _ parameter: inout [Float], along gradient: [Float], shape: [Int], _ what: String
  ) throws -> Moments {
    let plain = try PlainStep(optimizer, parameter, along: gradient, shape: shape)
    optimizer.update("p", &parameter, along: gradient, shape: shape)
    XCTAssertTrue(bits(parameter) == bits(plain.parameter), "\(what): parameters")
    let stored = try XCTUnwrap(optimizer.quantizedMoments(of: "p"))
    XCTAssertTrue(stored.first == plain.first, "\(what): first moment")
    XCTAssertTrue(stored.second == plain.second, "\(what): second moment")
    return plain.exact
  }

  func testEveryLengthInEveryFormat() throws {
    for subject in OptimizerSubject.all where subject.formats.contains(where: { $0 != "float32" }) {
      var generator = SeededGenerator(subject.name)
      for count in (1...1100) where isExhaustive || count < 300 || count % 7 == 0 {
        let optimizer = subject.make()
        optimizer.sizeRule.minimumCount = 0
        var parameter = (0..<count).map { _ in generator.normal() }
        for step in 1...2 {
          let gradient = (0..<count).map { $0 % 3 == 0 ? generator.wideRange() : generator.normal() }
          _ = try checkedStep(
            optimizer, &parameter, along: gradient, shape: [count], "\(subject.name) of \(count), step \(step)")
        }
        if testRun!.failureCount > 0 { return }
      }
    }
  }

  /// A factored second moment has no values that a step encodes: see FactoredStepTests.
  private let subjects = OptimizerSubject.all.filter { subject in
    subject.formats.contains { $0 != "float32" } && !subject.formats.contains("factored")
  }

  func testShapesInEveryFormat() throws {
    for subject in subjects {
      var generator = SeededGenerator(subject.name)
      for shape in [[64, 70], [17, 61], [16, 24, 32], [5, 7, 11, 13]] {
        let optimizer = subject.make()
        optimizer.sizeRule.minimumCount = 0
        let count = shape.reduce(1, *)
        var parameter = (0..<count).map { _ in generator.normal() }
        for step in 1...3 {
          let gradient = (0..<count).map { _ in generator.wideRange() }
          _ = try checkedStep(
            optimizer, &parameter, along: gradient, shape: shape, "\(subject.name) \(shape), step \(step)")
        }
      }
    }
  }

  /// By an element's index and a normal random number.
  static let specialGradients: [(String, @Sendable (Int, Float) -> Float)] = [
    ("zeros", { _, _ in 0 }), ("a constant", { _, _ in 0.25 }), ("negative", { _, _ in -3 }),
    ("an outlier", { i, x in i == 77 ? 1e6 : 1e-3 * x }), ("a negative outlier", { i, x in i == 77 ? -1e6 : 1e-3 * x }),
    ("half zeros", { i, x in i % 2 == 0 ? 0 : x }), ("one value", { i, _ in i == 200 ? 1 : 0 }),
    ("subnormal", { _, x in x * 0x1p-136 }), ("subnormal squares", { _, x in x * 1e-21 }),
    ("the least", { i, _ in i % 2 == 0 ? .leastNonzeroMagnitude : -.leastNormalMagnitude }),
    ("the largest", { i, _ in i % 2 == 0 ? .greatestFiniteMagnitude : -.greatestFiniteMagnitude }),
    ("squares that overflow", { i, x in i % 3 == 0 ? 1e25 : x }),
    ("all magnitudes", { i, x in Float(signOf: x, magnitudeOf: exp2(Float(i % 250) - 125)) }),
  ]

  /// Zeros, constants, an outlier, subnormals, the largest floats: everything stays finite, and a second moment that is
  /// not zero does not become zero.
  func testSpecialGradientsInEveryFormat() throws {
    for subject in subjects {
      var generator = SeededGenerator(subject.name)
      for (kind, gradient) in Self.specialGradients {
        let optimizer = subject.make()
        optimizer.sizeRule.minimumCount = 0
        let start = (0..<420).map { _ in generator.normal() }
        var parameter = start
        for step in 1...4 {
          let what = "\(subject.name), \(kind), step \(step)"
          let gradient = (0..<420).map { gradient($0, generator.normal()) }
          let exact = try checkedStep(optimizer, &parameter, along: gradient, shape: [20, 21], what)
          let moments = try XCTUnwrap(optimizer.moments(of: "p"))
          // The buffer of Momentum is a sum: it may overflow, and its parameter with it.
          XCTAssertTrue(subject.rule == "momentum" || parameter.allSatisfy(\.isFinite), what)
          let isLowBit = optimizer.quantizedMoments(of: "p")?.first != nil
          XCTAssertTrue(moments.first.allSatisfy { $0.isFinite || !isLowBit }, what)
          guard let second = moments.second, let exactSecond = exact.second else { continue }
          XCTAssertTrue(second.allSatisfy { $0.isFinite && $0 >= 0 }, what)
          let vanished = second.indices.first { second[$0] == 0 && exactSecond[$0].isNormal }
          XCTAssertNil(vanished, what)
        }
        if kind == "zeros" && subject.rule == "adam" { XCTAssertTrue(bits(parameter) == bits(start), subject.name) }
      }
    }
  }

  /// For any number of threads, with every kernel set, and with a file in between.
  func testThreadsKernelSetsAndFilesGiveTheSameBits() throws {
    let shapes = [[20_003], [137, 151], [30, 31, 22]]
    for subject in OptimizerSubject.all {
      var generator = SeededGenerator(subject.name)
      let starts = shapes.map { shape in (0..<shape.reduce(1, *)).map { _ in generator.normal() } }
      let gradients = (0..<3).map { _ in starts.map { $0.map { _ in generator.wideRange() } } }
      var expected: (OptimizerSnapshot, [[UInt32]])?
      for kernels in KernelSet.available {
        for threads in 1...8 {
          var optimizer = subject.make()
          var parameters = starts
          for step in 0..<3 {
            optimizer.kernels = kernels
            optimizer.threadCount = threads
            withTensorUpdates(&parameters, gradients[step], shapes) { _ = optimizer.update($0) }
            guard step == 1 && threads % 4 == 1 else { continue }
            let file = try checkpoint(of: optimizer)
            optimizer = subject.makePlain()
            try optimizer.restore(bytes: file)
          }
          let result = (OptimizerSnapshot(optimizer), parameters.map { bits($0) })
          let what = "\(subject.name), \(kernels.name), \(threads) threads"
          if let expected {
            XCTAssertTrue(result.0 == expected.0, "\(what): state")
            XCTAssertTrue(result.1 == expected.1, "\(what): parameters")
          }
          expected = expected ?? result
        }
      }
    }
  }

  /// All tensors in one batch.
  private func withTensorUpdates(
    _ parameters: inout [[Float]], _ gradients: [[Float]], _ shapes: [[Int]], _ body: ([TensorUpdate]) -> Void
  ) {
    var arena = parameters.flatMap { $0 }
    arena.withUnsafeMutableBufferPointer { arena in
      gradients.flatMap { $0 }.withUnsafeBufferPointer { gradient in
        var offset = 0
        body(
          shapes.indices.map { index in
            let range = offset..<offset + parameters[index].count
            offset = range.upperBound
            return TensorUpdate(
              ParameterKey(index), UnsafeMutableBufferPointer(rebasing: arena[range]),
              along: UnsafeBufferPointer(rebasing: gradient[range]), shape: shapes[index])
          })
      }
    }
    var rest = arena[...]
    for index in parameters.indices {
      parameters[index] = Array(rest.prefix(parameters[index].count))
      rest = rest.dropFirst(parameters[index].count)
    }
  }
}
