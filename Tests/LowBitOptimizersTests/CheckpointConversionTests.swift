import CheckpointWorker
import Foundation
import TestSupport
import XCTest

@testable import BlockQuantization
@testable import LowBitOptimizers

/// Changing the precision in the middle of a run: when asked, and only then.
final class CheckpointConversionTests: XCTestCase {
  private let count = 5003

  private func trained(_ optimizer: LowBitOptimizer, steps: Int = 10) -> [Float] {
    var generator = SeededGenerator(quietly: 3)
    var parameter = (0..<count).map { _ in generator.normal() }
    for _ in 0..<steps {
      optimizer.update("w", &parameter, along: (0..<count).map { _ in generator.normal() })
      var bias: [Float] = [1, 2, 3]
      optimizer.update("b", &bias, along: [1, -2, 3])
      parameter.withUnsafeMutableBufferPointer { table in
        let update = TensorUpdate("e", table, along: UnsafeBufferPointer(table), role: .embedding)
        optimizer.update([update])
      }
    }
    return parameter
  }

  func testConvertingKeepsStepsAndHyperparametersAndRoundsEachMomentOnce() throws {
    let adam32 = Adam32(learningRate: 5e-3, beta1: 0.8, weightDecay: 0.1)
    adam32.threadCount = 3
    var parameter = trained(adam32)
    let before = OptimizerSnapshot(adam32)
    let adam8 = Adam8bit(converting: adam32)
    XCTAssertEqual(OptimizerSnapshot(adam32), before)
    XCTAssertEqual(adam8.learningRate, 5e-3)
    XCTAssertEqual(adam8.rule.hyperparameters, adam32.rule.hyperparameters)
    XCTAssertEqual(adam8.threadCount, 3)
    XCTAssertEqual(adam8.stepCount(of: "w"), 10)
    let exact = try XCTUnwrap(adam32.moments(of: "w"))
    let moments = try XCTUnwrap(adam8.quantizedMoments(of: "w"))
    XCTAssertEqual(moments.first, .blocks(BlockQuantizer.dynamic8.encode(exact.first)))
    XCTAssertEqual(moments.second, .blocks(BlockQuantizer.dynamic8Unsigned.encode(exact.second!)))
    // The size rule holds, and an embedding stays in 32 bits.
    XCTAssertEqual(adam8.report().entries.map(\.reason), [.smallerThan(4096), .embedding, .largeEnough])
    XCTAssertEqual(adam8.moments(of: "b"), adam32.moments(of: "b"))
    XCTAssertLessThan(adam8.report().entries[2].byteCount, 21 * count / 10)

    // The next step differs by no more than the moments' rounding: 0.7 % of a first moment's block maximum, over √v.
    var other = parameter
    let gradient = (0..<count).map { _ in Float(0.5) }
    adam32.update("w", &parameter, along: gradient)
    adam8.update("w", &other, along: gradient)
    let moved = zip(parameter, other).map { ($0 - $1).magnitude }.max()!
    XCTAssertLessThan(moved, 0.05 * 5e-3)
    XCTAssertGreaterThan(moved, 0)
  }

  func testConvertingToTheSamePrecisionOrBackFromMoreChangesNothing() throws {
    let adam8 = AdamW8bit(learningRate: 1e-2, blockSize: 128)
    _ = trained(adam8)
    let copy = AdamW8bit(converting: adam8, blockSize: 128)
    XCTAssertEqual(OptimizerSnapshot(copy), OptimizerSnapshot(adam8))
    var (a, b): ([Float], [Float]) = ([1, 2, 3], [1, 2, 3])
    copy.update("b", &a, along: [1, 1, 1])
    XCTAssertEqual(adam8.stepCount(of: "b"), 10, "the copy shares its state")
    adam8.update("b", &b, along: [1, 1, 1])
    XCTAssertEqual(a, b)

    let adam32 = AdamW32(converting: adam8)
    XCTAssertEqual(adam32.moments(of: "w"), adam8.moments(of: "w"))
    XCTAssertEqual(adam32.report().entries.map(\.reason), [FormatReason](repeating: .optimizerIs32Bit, count: 3))
    // Values of the map are their own nearest, but a block whose extreme is negative gets another scale.
    let back = AdamW8bit(converting: adam32, blockSize: 128)
    XCTAssertEqual(back.moments(of: "w")?.second, adam8.moments(of: "w")?.second)

    let momentum = Momentum8bit(momentum: 0.8, nesterov: true)
    _ = trained(momentum)
    var rule = SizeRule(minimumCount: 0)
    rule.keep32Bit("w")
    let other = Momentum8bit(converting: Momentum32(converting: momentum), sizeRule: rule, blockSize: 64)
    XCTAssertEqual(other.report().entries.map(\.reason), [.largeEnough, .embedding, .keptByRequest])
    XCTAssertEqual(other.moments(of: "w"), momentum.moments(of: "w"))
    XCTAssertEqual(other.rule.hyperparameters, momentum.rule.hyperparameters)
  }

  func testRestoringAnotherPrecisionIsAnErrorUnlessAskedFor() throws {
    let folder = try TemporaryFolder()
    let file = folder.file("state")
    for (source, target) in [
      (Adam32(), Adam8bit(blockSize: 512)), (Adam8bit(), Adam32()), (Momentum32(), Momentum8bit()),
      (Momentum8bit(), Momentum32()),
    ] as [(LowBitOptimizer, LowBitOptimizer)] {
      _ = trained(source)
      try source.save(to: file)
      target.sizeRule.minimumCount = 2
      _ = trained(target, steps: 2)
      let before = OptimizerSnapshot(target)
      XCTAssertThrowsError(try target.restore(from: file)) {
        XCTAssertEqual(($0 as! CheckpointError).kind, .mismatch)
        XCTAssertTrue("\($0)".contains("converting: true"), "\($0)")
      }
      XCTAssertEqual(OptimizerSnapshot(target), before)
      try target.restore(from: file, converting: true)
      XCTAssertEqual(target.stepCount(of: "w"), 10)
      XCTAssertEqual(target.sizeRule.minimumCount, 2)
      let direct: LowBitOptimizer =
        switch source {
        case let source as Adam32: Adam8bit(converting: source, sizeRule: target.sizeRule, blockSize: 512)
        case let source as Adam8bit: Adam32(converting: source, sizeRule: target.sizeRule)
        case let source as Momentum32: Momentum8bit(converting: source, sizeRule: target.sizeRule)
        default: Momentum32(converting: source as! Momentum8bit, sizeRule: target.sizeRule)
        }
      XCTAssertEqual(OptimizerSnapshot(target), OptimizerSnapshot(direct))
    }
    // Another rule does not convert.
    for other in [AdamW32(), Momentum8bit()] as [LowBitOptimizer] {
      try Adam8bit().save(to: file)
      XCTAssertThrowsError(try other.restore(from: file, converting: true)) {
        XCTAssertEqual(($0 as! CheckpointError).kind, .mismatch)
      }
    }
  }

  private func trainedWithShapes(_ optimizer: LowBitOptimizer) {
    optimizer.seed = 77
    var workload = Workload(optimizer)
    workload.run(1...4)
  }

  /// From 32 bits into every format through a file, each moment rounded once, and back without any rounding.
  func testEveryFormatTakesAFileIn32Bits() throws {
    let sources: [String: LowBitOptimizer] = [
      "adam": Adam32(beta1: 0.8), "adamw": AdamW32(beta1: 0.8), "momentum": Momentum32(momentum: 0.8),
    ]
    for source in sources.values { trainedWithShapes(source) }
    for subject in OptimizerSubject.all {
      let source = try XCTUnwrap(sources[subject.rule])
      let file = try checkpoint(of: source)
      let target = subject.make()
      target.seed = 1
      try target.restore(bytes: file, converting: true)
      XCTAssertEqual(target.seed, 77)
      XCTAssertEqual(target.rule.hyperparameters, source.rule.hyperparameters, subject.name)
      for (name, shape) in Workload.shapes {
        let key = ParameterKey(name)
        XCTAssertEqual(target.stepCount(of: key), source.stepCount(of: key))
        let state = try XCTUnwrap(target.states[key])
        XCTAssertEqual(state.shape, shape, subject.name)
        let exact = try XCTUnwrap(source.moments(of: key))
        let values = [exact.first, exact.second]
        for (index, moment) in [state.first, state.second].enumerated() {
          guard let moment else { continue }
          let plain: EncodedMoment? =
            switch moment.format {
            case .float32: nil
            case .blocks(let quantizer): .blocks(quantizer.encode(values[index]!))
            case .rankOne(let codebook): .rankOne(RankOneQuantizer(codebook, shape: shape).encode(values[index]!))
            case .logarithmic(let quantizer):
              .logarithmic(
                quantizer.encode(
                  values[index]!,
                  RandomStream(
                    seed: 77, keyHash: RandomStream.hash(of: name), moment: 3 + index, step: source.stepCount(of: key)),
                  .current))
            case .factored: .factored(plainMeans(of: values[index]!, shape))
            }
          XCTAssertTrue(moment.encoded() == plain, "\(subject.name), \(name), moment \(index + 1)")
        }
      }
      // Back, and into itself.
      let back = subject.rule == "adam" ? Adam32() : subject.rule == "adamw" ? AdamW32() : Momentum32()
      try back.restore(bytes: try checkpoint(of: target), converting: true)
      let same = subject.make()
      same.sizeRule = target.sizeRule
      try same.restore(bytes: try checkpoint(of: target), converting: true)
      for (name, _) in Workload.shapes {
        XCTAssertTrue(back.moments(of: ParameterKey(name)) == target.moments(of: ParameterKey(name)), subject.name)
      }
      XCTAssertEqual(OptimizerSnapshot(same), OptimizerSnapshot(target), subject.name)
    }
  }

  /// From every format into every other of the rule: a step can follow, and the size rule holds.
  func testEveryFormatTakesEveryOther() throws {
    for source in OptimizerSubject.all {
      let trained = source.make()
      trainedWithShapes(trained)
      let file = try checkpoint(of: trained)
      for target in OptimizerSubject.all where target.rule == source.rule && target.name != source.name {
        let what = "\(source.name) to \(target.name)"
        let optimizer = target.make()
        if target.formats != source.formats {
          assertRefused(file, by: optimizer, .mismatch, "formats", what)
        }
        try optimizer.restore(bytes: file, converting: true)
        XCTAssertEqual(optimizer.states["layer.bias"]?.formats, optimizer.formats.in32Bit, what)
        XCTAssertEqual(
          optimizer.states["layer.matrix"]?.formats, optimizer.formats.fitting([67, 71]), what)
        var workload = Workload(optimizer)
        workload.run(5...5)
        XCTAssertEqual(optimizer.stepCount(of: "layer.matrix"), 5)
        XCTAssertTrue(workload.parameters.allSatisfy { $0.allSatisfy(\.isFinite) }, what)
      }
    }
  }

  /// The initializers do what a file between two optimizers does.
  func testConvertingInitializersOfFewBits() throws {
    let adam32 = Adam32(learningRate: 5e-3, beta1: 0.8)
    let adamW32 = AdamW32(learningRate: 5e-3)
    let momentum32 = Momentum32(learningRate: 0.1, momentum: 0.7)
    for source in [adam32, adamW32, momentum32] as [LowBitOptimizer] { trainedWithShapes(source) }
    let extreme = FirstMomentFormat.dynamic3.scaled(by: .signedExtreme)
    for (source, direct, target) in [
      (adam32, Adam4bit(converting: adam32), Adam4bit()), (adam32, Adam3bit(converting: adam32), Adam3bit()),
      (adam32, Adam2bit(converting: adam32, blockSize: 64), Adam2bit(blockSize: 64)),
      (adamW32, AdamW4bit(converting: adamW32), AdamW4bit()), (adamW32, AdamW3bit(converting: adamW32), AdamW3bit()),
      (adamW32, AdamW2bit(converting: adamW32), AdamW2bit()),
      (momentum32, Momentum4bit(converting: momentum32), Momentum4bit()),
      (momentum32, Momentum3bit(converting: momentum32), Momentum3bit()),
      (momentum32, Momentum2bit(converting: momentum32), Momentum2bit()),
      (
        adam32, AdamMixed(converting: adam32, firstMoment: extreme, secondMoment: .logarithmic2),
        AdamMixed(firstMoment: extreme, secondMoment: .logarithmic2)
      ),
      (
        adamW32, AdamWMixed(converting: adamW32, firstMoment: .dynamic4.perRowAndColumn, secondMoment: .linear4),
        AdamWMixed(firstMoment: .dynamic4.perRowAndColumn, secondMoment: .linear4)
      ),
    ] as [(LowBitOptimizer, LowBitOptimizer, LowBitOptimizer)] {
      try target.restore(bytes: try checkpoint(of: source), converting: true)
      XCTAssertEqual(OptimizerSnapshot(direct), OptimizerSnapshot(target))
      XCTAssertEqual(direct.states["layer.matrix"]?.shape, [67, 71])
      XCTAssertEqual(direct.rule.hyperparameters, source.rule.hyperparameters)
    }
    guard case .rankOne? = Adam4bit(converting: adam32).quantizedMoments(of: "layer.matrix")?.second else {
      return XCTFail("the shape is lost")
    }
  }

  /// A run that goes from 32 to 8 bits in the middle ends where the 32-bit run ends.
  func testTheLossOfAConvertedRun() {
    var generator = SeededGenerator()
    let (inputs, samples) = (64, 400)
    let truth = (0..<inputs).map { _ in generator.normal() }
    let data = (0..<samples).map { _ in
      let x = (0..<inputs).map { _ in generator.normal() }
      return (x: x, y: zip(x, truth).reduce(0) { $0 + $1.0 * $1.1 } + 0.5 * generator.normal())
    }
    func run(convertingAt conversion: Int?) -> Double {
      var optimizer: LowBitOptimizer = Adam32(learningRate: 0.02)
      optimizer.sizeRule.minimumCount = 0
      var weights = [Float](repeating: 0, count: inputs)
      for step in 0..<300 {
        if step == conversion { optimizer = Adam8bit(converting: optimizer as! Adam32) }
        var gradient = [Float](repeating: 0, count: inputs)
        for sample in 0..<20 {
          let (x, y) = data[(20 * step + sample) % samples]
          let error = zip(x, weights).reduce(-y) { $0 + $1.0 * $1.1 }
          for index in 0..<inputs { gradient[index] += error * x[index] / 20 }
        }
        optimizer.update("w", &weights, along: gradient)
      }
      return data.reduce(0) { loss, sample in
        loss + Double(zip(sample.x, weights).reduce(-sample.y) { $0 + $1.0 * $1.1 }).magnitude
      }
    }
    let loss = run(convertingAt: nil)
    XCTAssertLessThan((run(convertingAt: 100) / loss - 1).magnitude, 0.01)
  }
}
