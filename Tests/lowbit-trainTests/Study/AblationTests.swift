import Foundation
import LowBitOptimizers
import TestSupport
import XCTest

@testable import lowbit_train

final class MomentRoundingTests: XCTestCase {
  /// Over seven decades, with zeros and subnormals among them.
  private func values(_ count: Int, signed: Bool) -> [Float] {
    var random = TestValues()
    return (0..<count).map { index in
      if index % 97 == 0 { return index % 2 == 0 ? 0 : .leastNonzeroMagnitude }
      let value = random.next() * Float(pow(10, Double(random.next()) * 4))
      return signed ? value : abs(value)
    }
  }

  private func rounded(_ values: [Float], _ rounding: MomentRounding) -> [Float] {
    var values = values
    values.withUnsafeMutableBufferPointer { rounding.round($0) }
    return values
  }

  func testBlocksAreThoseOfThePackage() {
    for (codebook, signed) in [(Codebook.dynamic8, true), (.dynamic8Unsigned, false)] {
      for size in [64, 256] {
        let values = values(3000, signed: signed)
        let expected = BlockQuantizer(codebook, blockSize: size).encode(values).decode()
        let found = rounded(values, MomentRounding(codebook, scope: .blocks(size)))
        let difference = zip(found, expected).enumerated().first { $1.0.bitPattern != $1.1.bitPattern }
        XCTAssertNil(difference, "\(codebook) in blocks of \(size), seed \(TestValues.seed)")
      }
    }
  }

  func testWholeTensorsTakeTheNearestLevel() {
    for (table, signed) in [(MomentRounding.linear, true), (.linearUnsigned, false)] {
      let levels = signed ? (-127...127).map { Float($0) / 127 } : (0...255).map { Float($0) / 255 }
      let values = values(2000, signed: signed)
      let scale = values.map(abs).max()!
      for (value, found) in zip(values, rounded(values, table)) {
        let nearest = levels.map { abs($0 * scale - value) }.min()!
        XCTAssertEqual(abs(found - value), nearest, accuracy: 1e-5 * scale, "\(value), seed \(TestValues.seed)")
      }
    }
  }

  func testSmallSecondMomentsVanishOrNot() {
    let values: [Float] = [1, 1e-7, 0, 1e-30]
    XCTAssertEqual(rounded(values, .dynamicUnsigned(.wholeTensor)), [1, 0, 0, 0])
    let kept = rounded(values, MomentRounding(.dynamic8Unsigned, scope: .wholeTensor))
    XCTAssertEqual(kept[2], 0)
    XCTAssertEqual([kept[1], kept[3]], [3.2500003e-07, 3.2500003e-07])
  }

  func testZerosStayZero() {
    XCTAssertEqual(rounded([0, 0, -0.0], .linear), [0, 0, 0])
    XCTAssertEqual(rounded([], .linear), [])
  }
}

final class SimulatedAdamTests: XCTestCase {
  /// Adam8bit and its simulation, over steps with gradients that differ by decades from row to row, some of them zero.
  func testBlockwiseDynamicIsAdam8bit() {
    var random = TestValues()
    let setting = AdamSetting(beta2: 0.99, epsilon: 1e-7)
    let real = setting.configured(Adam8bit.init)
    let simulated = SimulatedAdam(
      setting, first: MomentRounding(.dynamic8, scope: .blocks(256)),
      second: MomentRounding(.dynamic8Unsigned, scope: .blocks(256)))
    var (one, other) = (random.array(5000), [Float]())
    var (small, smallOther) = (random.array(40), [Float]())
    (other, smallOther) = (one, small)
    for step in 0..<40 {
      let gradient = (0..<5000).map { index in
        index % 7 == step % 7 ? 0 : random.next() * Float(pow(10, -Double(index % 64) / 8))
      }
      let smallGradient = random.array(40)
      real.learningRate = 0.01 / Float(step + 1)
      simulated.learningRate = real.learningRate
      real.update("w", &one, along: gradient)
      real.update("b", &small, along: smallGradient)
      move(simulated, "w", &other, gradient)
      move(simulated, "b", &smallOther, smallGradient)
      XCTAssertEqual(one.map(\.bitPattern), other.map(\.bitPattern), "step \(step), seed \(TestValues.seed)")
      XCTAssertEqual(small.map(\.bitPattern), smallOther.map(\.bitPattern), "step \(step)")
    }
    XCTAssertEqual(simulated.moments(of: "w").first, real.moments(of: "w")!.first)
    XCTAssertEqual(simulated.moments(of: "w").second, real.moments(of: "w")!.second)
    XCTAssertEqual(simulated.stateByteCount, real.stateByteCount)
  }

  func testStableEmbeddingsAreKeptIn32Bits() throws {
    let (one, other) = (layer(), layer())
    let setting = AdamSetting()
    let real = setting.configured(Adam8bit.init)
    let simulated = AblationFormat.linear.optimizer(setting)
    real.learningRate = 0.1
    simulated.learningRate = 0.1
    for _ in 0..<5 {
      for layer in [one, other] {
        layer.zeroGradients()
        let rows = try layer.forward([3, 5, 3])
        layer.backward(rows.map { $0 * $0 })
      }
      one.update(with: real)
      simulated.move(other)
    }
    XCTAssertEqual(one.weight, other.weight)
    XCTAssertEqual(real.stateByteCount, simulated.stateByteCount)
  }

  private func layer() -> StableEmbedding { StableEmbedding(vocabularySize: 300, dimension: 16, seed: 4) }

  private func move(_ optimizer: SimulatedAdam, _ key: ParameterKey, _ values: inout [Float], _ gradient: [Float]) {
    values.withUnsafeMutableBufferPointer { values in
      gradient.withUnsafeBufferPointer { optimizer.move([TensorUpdate(key, values, along: $0)]) }
    }
  }
}

final class AblationReportTests: XCTestCase {
  private let plan = AblationPlan(seeds: [1], length: .quick, material: SmallStudy.material)

  /// As in the paper: linear moments fail most, and a stable embedding helps.
  private var report: AblationReport {
    AblationReport(
      plan,
      plan.runs.enumerated().map { index, run in
        let fails = run.format == .linear && (run.embedding == .plain || index % 3 == 0)
        return SmallStudy.outcome(loss: fails ? .infinity : 2)
      })
  }

  func testGrid() {
    XCTAssertEqual(plan.runs.count, 5 * 2 * 9)
    let names = plan.jobs().map(\.name)
    XCTAssertEqual(Set(names).count, names.count)
    XCTAssertEqual(names[0], "ablation.125-steps.linear.plain.beta2-0.999.epsilon-1e-08.seed1")
  }

  func testRows() {
    let rows = report.rows
    XCTAssertEqual(rows.count, 10)
    XCTAssertEqual(rows[0].unstableShare, 1)
    XCTAssertEqual(rows[1].unstableShare, 1.0 / 3, accuracy: 1e-9)
    XCTAssertEqual(rows[0].medianLoss, .infinity)
    XCTAssertEqual(rows[1].medianLoss, 2)
    XCTAssertTrue(rows.dropFirst(2).allSatisfy { $0.unstableShare == 0 })
    XCTAssertTrue(report.lines().allSatisfy { $0.count <= 80 })
  }

  func testFiles() throws {
    let rows = try XCTUnwrap(JSONSerialization.jsonObject(with: report.json()) as? [[String: Any]])
    XCTAssertEqual(rows.count, 90)
    XCTAssertEqual(rows[0]["isUnstable"] as? Bool, true)
    XCTAssertEqual(rows[0]["moments"] as? String, "linear")
    let reader = SVGReader(report.svg())
    XCTAssertNil(reader.problem)
    XCTAssertTrue(reader.widths.contains(370), "a full bar")
    XCTAssertTrue(reader.texts.contains("Adam8bit"))
  }

  /// All formats train a small model, but for the one that cannot.
  func testJobsRun() throws {
    let seeds = plan.jobs().enumerated().filter { $0.offset % 9 == 0 }.map(\.element)
    let runner = StudyJobs(folder: try StudyFolder(path: temporaryFolder()), threads: 2) { _ in }
    let outcomes = try runner.outcomes(seeds)
    XCTAssertEqual(outcomes.count, 10)
    XCTAssertFalse(outcomes[8].isDiverged, "32 bits, plain")
    XCTAssertEqual(outcomes[6].validationLoss, outcomes[8].validationLoss, accuracy: 0.01)
    XCTAssertEqual(outcomes[4].validationLoss, outcomes[8].validationLoss, accuracy: 0.02)
  }
}
