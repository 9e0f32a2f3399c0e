import LowBitOptimizers
import TestSupport
import XCTest

/// 32-bit optimizers against PyTorch's own trajectories over 20 steps.
final class TorchTrajectoryTests: XCTestCase {
  private func follow(_ name: String, _ optimizer: LowBitOptimizer, first: String, second: String? = nil) throws {
    let golden = try Safetensors(Bundle.module.url(forResource: "Golden/torch_32bit", withExtension: "safetensors")!)
    var parameter = golden.floats("p0")
    let start = parameter
    let gradients = golden.floats("grads")
    let count = parameter.count
    for step in 1...20 {
      optimizer.update("p", &parameter, along: Array(gradients[(step - 1) * count..<step * count]))
      guard golden.contains("\(name)/step\(step)/p") else { continue }
      for (index, (value, expected)) in zip(parameter, golden.floats("\(name)/step\(step)/p")).enumerated() {
        let size = max(expected.magnitude, start[index].magnitude)
        XCTAssertEqual(value, expected, accuracy: 1e-6 * size + 1e-9, "\(name), step \(step), element \(index)")
      }
    }
    let moments = try XCTUnwrap(optimizer.moments(of: "p"))
    assertClose(moments.first, golden.floats("\(name)/step20/\(first)"), "\(name) \(first)")
    if let second {
      assertClose(try XCTUnwrap(moments.second), golden.floats("\(name)/step20/\(second)"), "\(name) \(second)")
    }
    XCTAssertEqual(optimizer.stepCount(of: "p"), 20)
  }

  private func assertClose(_ values: [Float], _ expected: [Float], _ name: String) {
    for (index, (value, expected)) in zip(values, expected).enumerated() {
      XCTAssertEqual(value, expected, accuracy: max(1e-9, 1e-5 * expected.magnitude), "\(name) \(index)")
    }
  }

  func testAdam() throws {
    try follow("adam_wd0", Adam32(learningRate: 1e-3), first: "exp_avg", second: "exp_avg_sq")
  }

  func testAdamWithDecayInTheGradient() throws {
    try follow(
      "adam_l2_wd0.01", Adam32(learningRate: 1e-3, weightDecay: 0.01), first: "exp_avg", second: "exp_avg_sq")
  }

  func testAdamW() throws {
    try follow("adamw_wd0.01", AdamW32(learningRate: 1e-3), first: "exp_avg", second: "exp_avg_sq")
  }

  func testMomentum() throws {
    try follow("sgd_m0.9", Momentum32(learningRate: 0.1), first: "momentum_buffer")
    try follow("sgd_m0.9_wd0.01", Momentum32(learningRate: 0.1, weightDecay: 0.01), first: "momentum_buffer")
    try follow("sgd_m0.9_damp0.1", Momentum32(learningRate: 0.1, dampening: 0.1), first: "momentum_buffer")
    try follow(
      "sgd_nesterov_m0.9_wd0.01", Momentum32(learningRate: 0.1, nesterov: true, weightDecay: 0.01),
      first: "momentum_buffer")
  }
}
