import BlockQuantization
import TestSupport
import XCTest

@testable import LowBitOptimizers

/// 8-bit optimizers against a reference of bitsandbytes' block-wise kernel over 20 steps.
///
/// Codes must be equal and parameters within 1e-6, but where one of the three departures has touched an element. They
/// are found by rule from the moments that are about to be encoded: a positive second moment that would round to zero; a
/// first moment that rounds to zero from below (the kernel moves it off zero);
/// and a value within 4 units of a midpoint. A touched element stays out of the comparison from then on.
final class BlockwiseTrajectoryTests: XCTestCase {
  private struct Golden {
    let inputs, trajectory: Safetensors
    let count: Int

    init(_ name: String) throws {
      inputs = try Safetensors(Bundle.module.url(forResource: "Golden/inputs_blocks", withExtension: "safetensors")!)
      trajectory = try Safetensors(Bundle.module.url(forResource: "Golden/\(name)", withExtension: "safetensors")!)
      count = inputs.shape("p0")[0]
    }

    func gradient(_ step: Int) -> [Float] { Array(inputs.floats("grads")[(step - 1) * count..<step * count]) }
  }

  private struct Departures {
    var secondMomentKeptPositive: Set<Int> = []
    var signNotFixed: Set<Int> = []
    var tie: Set<Int> = []
    var all: Set<Int> { secondMomentKeptPositive.union(signNotFixed).union(tie) }

    mutating func note(_ moments: [Float], _ quantizer: BlockQuantizer) {
      let values = quantizer.codebook.values
      let midpoints = zip(values, values.dropFirst()).map { ($0 + $1) * 0.5 }
      for start in stride(from: 0, to: moments.count, by: quantizer.blockSize) {
        let range = start..<min(start + quantizer.blockSize, moments.count)
        let absmax = moments[range].reduce(0) { max($0, $1.magnitude) }
        for index in range {
          let value = moments[index]
          guard absmax > 0 else { continue }
          let normalised = value / absmax
          let nearest = midpoints.count { normalised > $0 }
          let isZero = values[nearest] == 0
          if !quantizer.codebook.isSigned && isZero && value > 0 { secondMomentKeptPositive.insert(index) }
          if quantizer.codebook.isSigned && isZero && value.sign == .minus { signNotFixed.insert(index) }
          for midpoint in midpoints[max(0, nearest - 1)..<min(nearest + 1, midpoints.count)]
          where (normalised - midpoint).magnitude <= 4 * midpoint.ulp { tie.insert(index) }
        }
      }
    }
  }

  private func compare(
    _ parameter: [Float], _ tensors: [EncodedMoment?], _ golden: Golden, step: Int, without departures: Departures
  ) throws {
    let touched = departures.all
    let expected = golden.trajectory.floats("step\(step)/p")
    for index in 0..<golden.count where !touched.contains(index) {
      XCTAssertEqual(parameter[index], expected[index], accuracy: 1e-6, "step \(step), element \(index)")
    }
    for (number, tensor) in tensors.enumerated() {
      guard case .blocks(let tensor) = try XCTUnwrap(tensor) else { return XCTFail("no blocks") }
      let codes = golden.trajectory.bytes("step\(step)/codes\(number + 1)")
      let blockSize = tensor.quantizer.blockSize
      for (index, code) in tensor.codes.enumerated() where !touched.contains(index) {
        // The kernel gives the elements of a block of zeros another code, which decodes to zero just as well.
        if tensor.scales[index / blockSize] == 0 { continue }
        XCTAssertEqual(code, codes[index], "step \(step), moment \(number + 1), element \(index)")
      }
      for (scale, expected) in zip(tensor.scales, golden.trajectory.floats("step\(step)/absmax\(number + 1)")) {
        XCTAssertEqual(scale, expected, accuracy: 1e-6 * expected)
      }
    }
  }

  func testAdam8bit() throws {
    let golden = try Golden("traj_cudaref_adam8bit_wd0")
    // The reference takes 1 − β in float32 from the float32 β, so that its constants are those of these Doubles.
    let beta1 = Double(Float(0.9))
    let beta2 = Double(Float(0.999))
    let optimizer = Adam8bit(
      learningRate: 1e-3,
      rule: AdamRule(
        beta1: beta1, beta2: beta2, epsilon: 1e-8, weightDecay: 0, decay: .coupled, biasCorrection: true))
    optimizer.sizeRule.minimumCount = 0
    var parameter = golden.inputs.floats("p0")
    var departures = Departures()
    var compared = 0
    for step in 1...20 {
      let gradient = golden.gradient(step)
      let zeros = [Float](repeating: 0, count: golden.count)
      let before = optimizer.moments(of: "p") ?? Moments(first: zeros, second: zeros)
      optimizer.update("p", &parameter, along: gradient)
      let m = zip(before.first, gradient).map { Float(beta1) * $0 + Float(1 - beta1) * $1 }
      let v = zip(before.second!, gradient).map { Float(beta2) * $0 + Float(1 - beta2) * ($1 * $1) }
      departures.note(m, .dynamic8)
      departures.note(v, .dynamic8Unsigned)
      guard golden.trajectory.contains("step\(step)/p") else { continue }
      let moments = try XCTUnwrap(optimizer.quantizedMoments(of: "p"))
      try compare(
        parameter, [moments.first, moments.second], golden, step: step, without: departures)
      compared += 1
    }
    XCTAssertEqual(compared, 5)
    report(departures, of: golden.count)
    // One block holds an outlier that puts most of its neighbours' second moments under the smallest code.
    XCTAssertEqual(departures.secondMomentKeptPositive.count, 74)
    XCTAssertEqual(departures.signNotFixed.count, 0)
    XCTAssertEqual(departures.tie.count, 2)
  }

  func testMomentum8bit() throws {
    let golden = try Golden("traj_cudaref_sgd8bit_m0.9_wd0.01")
    let optimizer = Momentum8bit(learningRate: 0.1, momentum: 0.9, weightDecay: 0.01)
    optimizer.sizeRule.minimumCount = 0
    var parameter = golden.inputs.floats("p0")
    var departures = Departures()
    var compared = 0
    for step in 1...20 {
      let gradient = golden.gradient(step)
      let before = optimizer.moments(of: "p")?.first ?? [Float](repeating: 0, count: golden.count)
      let g = zip(gradient, parameter).map { $0 + Float(0.01) * $1 }
      departures.note(step == 1 ? g : zip(before, g).map { Float(0.9) * $0 + $1 }, .dynamic8)
      optimizer.update("p", &parameter, along: gradient)
      guard golden.trajectory.contains("step\(step)/p") else { continue }
      let moments = try XCTUnwrap(optimizer.quantizedMoments(of: "p"))
      try compare(parameter, [moments.first], golden, step: step, without: departures)
      compared += 1
    }
    XCTAssertEqual(compared, 5)
    report(departures, of: golden.count)
    XCTAssertEqual(departures.signNotFixed.count, 1)
    XCTAssertEqual(departures.tie.count, 1)
  }

  private func report(_ departures: Departures, of count: Int) {
    print(
      """
      \(name): of \(count) elements, \(departures.secondMomentKeptPositive.count) had a second moment kept positive, \
      \(departures.signNotFixed.count) a zero from below, \(departures.tie.count) a near tie
      """)
  }
}
