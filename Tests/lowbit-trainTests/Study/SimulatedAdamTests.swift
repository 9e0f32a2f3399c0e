import Foundation
import LowBitOptimizers
import TestSupport
import XCTest

@testable import lowbit_train

final class SimulatedAdamTests: XCTestCase {
  /// Adam8bit and its simulation, over steps with gradients that differ by decades from row to row, some of them zero.
  func testBlockwiseDynamicIsAdam8bit() {
    var random = TestValues()
    let setting = AdamSetting(beta2: 0.99, epsilon: 1e-7)
    let real = setting.configured(Adam8bit.init)
    let simulated = SimulatedAdam(
      setting, first: TableRounding(.dynamic8, scope: .blocks(256)),
      second: TableRounding(.dynamic8Unsigned, scope: .blocks(256)))
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

  /// The formats of 4 bits that the package has, over steps in which some rows have no gradient.
  func testFourBitFormatsAreThoseOfThePackage() {
    check(.dynamic4, .linear4, TableRounding(.dynamic4, scope: .blocks(128)), .linear4)
    check(
      .dynamic4.scaled(by: .signedExtreme), .linear4PerBlock,
      TableRounding(.dynamic4, scope: .blocks(128), scaledBy: .signedExtreme),
      TableRounding(.linear4Unsigned, scope: .blocks(128)))
    check(.normalFloat4, .linear4, .normalFloat4(.blocks(128)), .linear4)
    check(.normalFloat4.perRowAndColumn, .linear4, .normalFloat4(.rowsAndColumns), .linear4)
    check(.dynamic4.perRowAndColumn, .linear4, TableRounding(.dynamic4, scope: .rowsAndColumns), .linear4)
  }

  private func check(
    _ first: FirstMomentFormat, _ second: SecondMomentFormat, _ firstRounding: TableRounding,
    _ secondRounding: TableRounding
  ) {
    var random = TestValues()
    let setting = AdamSetting()
    let real = AdamMixed(
      firstMoment: first, secondMoment: second, learningRate: 0, beta1: setting.beta1, blockSize: 128)
    real.threadCount = 1
    let simulated = SimulatedAdam(setting, first: firstRounding, second: secondRounding)
    let shape = [64, 80]
    var one = random.array(64 * 80)
    var other = one
    for step in 0..<20 {
      let gradient = (0..<64 * 80).map { index in
        index / 80 % 5 == step % 5 ? 0 : random.next() * Float(pow(10, -Double(index % 80) / 20))
      }
      real.learningRate = 0.01 / Float(step + 1)
      simulated.learningRate = real.learningRate
      move(real, "w", &one, gradient, shape)
      move(simulated, "w", &other, gradient, shape)
      XCTAssertEqual(one.map(\.bitPattern), other.map(\.bitPattern), "step \(step), seed \(TestValues.seed)")
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

  private func move(
    _ optimizer: any StudyOptimizer, _ key: ParameterKey, _ values: inout [Float], _ gradient: [Float],
    _ shape: [Int]? = nil
  ) {
    values.withUnsafeMutableBufferPointer { values in
      gradient.withUnsafeBufferPointer { optimizer.move([TensorUpdate(key, values, along: $0, shape: shape)]) }
    }
  }
}
