import Dispatch
import TestSupport
import TileKernels
import XCTest

@testable import BlockQuantization

private let blockSize = 128

/// Every float from −1 to 1 through the encoders that are part of whole steps, against the number of thresholds below it.
///
/// With β1 = β2 = 0 the moments are the gradient and its square. A 1 at the start of each block makes both scales 1.
final class AllFloatsStepTests: XCTestCase {
  private let adam = AdamConstants(
    beta1: 0, oneMinusBeta1: 1, beta2: 0, oneMinusBeta2: 1, stepSize: 0, scaledEpsilon: 1, coupledDecay: 0,
    decoupledDecay: 0)

  /// A step over one run: parameters, gradients and memory of a thread of its own.
  private typealias Step = (BlockRun, QuantizedTensor, QuantizedTensor, UnsafeMutablePointer<Float>) -> Void

  private func check(_ name: String, _ first: Codebook, _ second: Codebook, step: @escaping Step) throws {
    try XCTSkipUnless(isExhaustive, "set LOWBIT_EXHAUSTIVE=1: all 2^32 floats take minutes")
    let blockCount = (1 << 16) / (blockSize - 1) + 1
    let count = blockCount * blockSize
    let quantizers = (BlockQuantizer(first, blockSize: blockSize), BlockQuantizer(second, blockSize: blockSize))
    // Codes of both moments are compared as bytes, whatever the packing.
    nonisolated(unsafe) let step = step
    DispatchQueue.concurrentPerform(iterations: 1 << 16) { high in
      let values = (0..<1 << 16).map { Float(bitPattern: UInt32(high) << 16 | UInt32($0)) }.filter { $0.magnitude <= 1 }
      guard !values.isEmpty else { return }
      var gradients = [Float](repeating: 0, count: count)
      for block in 0..<blockCount { gradients[block * blockSize] = 1 }
      func place(_ index: Int) -> Int { index / (blockSize - 1) * blockSize + index % (blockSize - 1) + 1 }
      for (index, value) in values.enumerated() { gradients[place(index)] = value }
      var parameters = [Float](repeating: 0, count: count)
      var work = [Float](repeating: 0, count: 4096)
      let moments = (
        QuantizedTensor(zeros: count, quantizer: quantizers.0), QuantizedTensor(zeros: count, quantizer: quantizers.1)
      )
      parameters.withUnsafeMutableBufferPointer { p in
        gradients.withUnsafeBufferPointer { g in
          work.withUnsafeMutableBufferPointer {
            step(
              BlockRun(
                parameters: p.baseAddress!, gradients: g.baseAddress!, count: count, blockSize: blockSize,
                blocks: 0..<blockCount), moments.0, moments.1, $0.baseAddress!)
          }
        }
      }
      for (tensor, codebook, isSquared) in [(moments.0, first, false), (moments.1, second, true)] {
        let codes = tensor.unpackedCodes
        let thresholds = codebook.thresholds
        var level = 0
        for (index, value) in values.enumerated() {
          let value = isSquared ? value * value : value
          // Neighbours are alike: the count moves with the value.
          while level < thresholds.count && value > thresholds[level] { level += 1 }
          while level > 0 && !(value > thresholds[level - 1]) { level -= 1 }
          let code = Int(codes[place(index)])
          if code != level { fatalError("\(name), \(codebook): \(value) took \(code), not \(level)") }
        }
      }
    }
  }

  func testNibbles() throws {
    for kernels in KernelSet.available {
      for first in [Codebook.dynamic4, .normalFloat4] {
        try check(kernels.name, first, .linear4Unsigned) { [adam] run, m, v, work in
          func moment(_ tensor: QuantizedTensor, _ values: UnsafeMutablePointer<Float>) -> NibbleMoment {
            guard case .nibbles(let map) = tensor.quantizer.codec.map else { fatalError("no 4-bit codes") }
            return NibbleMoment(
              codes: tensor.storage.codes.baseAddress!, scales: tensor.storage.scales.baseAddress!, map: map,
              scaleKind: .absmax, values: values)
          }
          _ = kernels.adamOnNibbles(run, moment(m, work), moment(v, work + 1024), adam)
        }
      }
    }
  }

  func testBytes() throws {
    for kernels in KernelSet.available {
      guard let steps = kernels.byteSteps else { continue }
      try check(kernels.name, .dynamic8, .dynamic8Unsigned) { [adam] run, m, v, work in
        func moment(_ tensor: QuantizedTensor, _ values: UnsafeMutablePointer<Float>) -> ByteMoment {
          guard case .bytes(let map) = tensor.quantizer.codec.map else { fatalError("no 8-bit codes") }
          return ByteMoment(
            codes: tensor.storage.codes.baseAddress!, scales: tensor.storage.scales.baseAddress!, map: map,
            scaleKind: .absmax, values: values)
        }
        let end = steps.adam(run, moment(m, work), moment(v, work + 1024), adam)
        if end != run.endBlock { fatalError("\(kernels.name) left block \(end)") }
      }
    }
  }
}
