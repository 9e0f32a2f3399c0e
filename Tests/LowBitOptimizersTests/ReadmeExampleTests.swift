import BlockQuantization
import Foundation
import LowBitOptimizers
import XCTest

/// The README's examples, compiled and run.
final class ReadmeExampleTests: XCTestCase {
  /// Gradients of (w·x + b − y)² / 2 for y = 2x + 1.
  private func gradients(_ weights: [Float], _ bias: [Float], _ x: Float) -> ([Float], [Float]) {
    let error = weights[0] * x + bias[0] - (2 * x + 1)
    return ([error * x], [error])
  }

  func testPlainArrays() {
    var weights: [Float] = [0]
    var bias: [Float] = [0]
    let optimizer = Adam8bit(learningRate: 1e-3)
    for step in 0..<1000 {
      optimizer.learningRate = 0.01
      let (weightGradient, biasGradient) = gradients(weights, bias, Float(step % 7) / 3 - 1)
      optimizer.update("layer1.weight", &weights, along: weightGradient)
      optimizer.update("layer1.bias", &bias, along: biasGradient)
    }
    XCTAssertEqual(weights[0], 2, accuracy: 0.1)
    XCTAssertEqual(bias[0], 1, accuracy: 0.1)
  }

  private final class Tensor {
    let name: String
    let shape: [Int]
    var data: [Float]
    var gradient: [Float]

    init(_ name: String, shape: [Int]) {
      self.name = name
      self.shape = shape
      data = [Float](repeating: 1, count: shape.reduce(1, *))
      gradient = data
    }
  }

  func testATensorClass() {
    let optimizer = AdamW8bit(learningRate: 1e-3)
    let parameters = [Tensor("w", shape: [80, 60]), Tensor("b", shape: [60])]
    for tensor in parameters {
      optimizer.update(ParameterKey(tensor.name), &tensor.data, along: tensor.gradient, shape: tensor.shape)
    }
    XCTAssertTrue(parameters.allSatisfy { $0.data.allSatisfy { ($0 - 0.99899).magnitude < 1e-6 } })
    XCTAssertTrue("\(optimizer.report())".contains("fewer than 4096 elements"))
  }

  func testRawMemory() {
    let layout = [(name: "wte", offset: 0, count: 5000), (name: "ln.weight", offset: 5000, count: 64)]
    let parameters = UnsafeMutablePointer<Float>.allocate(capacity: 5064)
    let gradients = UnsafeMutablePointer<Float>.allocate(capacity: 5064)
    defer {
      parameters.deallocate()
      gradients.deallocate()
    }
    parameters.initialize(repeating: 0, count: 5064)
    gradients.initialize(repeating: 1, count: 5064)
    let optimizer = Momentum8bit(learningRate: 0.5)
    var updates: [TensorUpdate] = []
    for tensor in layout {
      updates.append(
        TensorUpdate(
          ParameterKey(tensor.name), UnsafeMutableBufferPointer(start: parameters + tensor.offset, count: tensor.count),
          along: UnsafeBufferPointer(start: gradients + tensor.offset, count: tensor.count)))
    }
    optimizer.update(updates)
    XCTAssertTrue((0..<5064).allSatisfy { parameters[$0] == -0.5 })
  }

  func testStableEmbedding() throws {
    let optimizer = Adam8bit(learningRate: 1e-2)
    let embedding = StableEmbedding(vocabularySize: 20_000, dimension: 256, seed: 1, name: "token")
    let batches = [[17, 4, 17, 19_999], [0, 4, 2]]
    var losses: [Float] = []
    for ids in batches + batches + batches {
      let x = try embedding.forward(ids)
      losses.append(x.reduce(0) { $0 + $1 * $1 } / 2)
      let xGradient = x
      embedding.backward(xGradient)
      embedding.update(with: optimizer)
      embedding.zeroGradients()
    }
    XCTAssertLessThan(losses[4], losses[0])
    XCTAssertLessThan(losses[5], losses[1])
    XCTAssertTrue("\(optimizer.report())".contains("(embedding table)"))
  }

  func testSavingAndResuming() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("readme-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let optimizer = Adam8bit()
    let adam32 = Adam32()
    var weights = [Float](repeating: 1, count: 5000)
    optimizer.update("w", &weights, along: weights)
    adam32.update("w", &weights, along: weights)

    try optimizer.save(to: folder.appendingPathComponent("optimizer.safetensors"))
    let resumed = Adam8bit()
    try resumed.restore(from: folder.appendingPathComponent("optimizer.safetensors"))
    let cheaper = Adam8bit(converting: adam32)

    XCTAssertEqual(resumed.moments(of: "w"), optimizer.moments(of: "w"))
    XCTAssertEqual(resumed.stepCount(of: "w"), 1)
    XCTAssertEqual(cheaper.stepCount(of: "w"), 1)
    XCTAssertLessThan(cheaper.stateByteCount, adam32.stateByteCount / 3)
  }

  func testQuantizationError() {
    let gradientSample = (0..<1000).map { Float($0 * $0 % 997) / 997 - 0.3 }
    let error = QuantizationError(of: .dynamic8, on: gradientSample)
    XCTAssertLessThan(error.maximumRelativeToBlock, 0.008, "\(error)")
  }
}
