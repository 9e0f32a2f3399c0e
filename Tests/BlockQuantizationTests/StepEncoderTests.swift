import Dispatch
import TestSupport
import TileKernels
import XCTest

@testable import BlockQuantization

private let blockSize = 128

/// Every float from −1 to 1, or those near thresholds and bins' ends, through the encoders that are part of whole steps,
/// against the number of thresholds below it.
///
/// With β1 = β2 = 0 the moments are the gradient and its square. A 1 at the start of each block makes both scales 1.
final class StepEncoderTests: XCTestCase {
  private let adam = AdamConstants(
    beta1: 0, oneMinusBeta1: 1, beta2: 0, oneMinusBeta2: 1, stepSize: 0, scaledEpsilon: 1, coupledDecay: 0,
    decoupledDecay: 0)

  /// A step over one run: parameters, gradients and memory of a thread of its own.
  private typealias Step = (BlockRun, QuantizedTensor, QuantizedTensor, UnsafeMutablePointer<Float>) -> Void

  private func check(_ name: String, _ first: Codebook, _ second: Codebook, step: @escaping Step) {
    let quantizers = (BlockQuantizer(first, blockSize: blockSize), BlockQuantizer(second, blockSize: blockSize))
    // Codes of both moments are compared as bytes, whatever the packing.
    nonisolated(unsafe) let step = step
    DispatchQueue.concurrentPerform(iterations: isExhaustive ? 1 << 16 : 1) { chunk in
      let candidates = isExhaustive ? Self.all(upperHalf: chunk) : Self.telling(first, second)
      let values = candidates.filter { $0.magnitude <= 1 }
      guard !values.isEmpty else { return }
      let blockCount = values.count / (blockSize - 1) + 1
      let count = blockCount * blockSize
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

  private static func all(upperHalf: Int) -> [Float] {
    (0..<1 << 16).map { Float(bitPattern: UInt32(upperHalf) << 16 | $0) }
  }

  /// Thresholds with 8 neighbours on each side, whose squares go past those of second moments, and both ends of all floats
  /// that have their upper halves in common.
  private static func telling(_ first: Codebook, _ second: Codebook) -> [Float] {
    let centres = first.thresholds + second.thresholds.flatMap { [$0.squareRoot(), -$0.squareRoot()] }
    var values: [Float] = []
    for centre in centres {
      var (above, below) = (centre, centre)
      for _ in 0...8 {
        values += [above, below]
        (above, below) = (above.nextUp, below.nextDown)
      }
    }
    let ends = (0..<1 << 16).flatMap { [Float(bitPattern: $0 << 16), Float(bitPattern: $0 << 16 | 0xffff)] }
    return values + ends
  }

  func testNibbles() {
    for kernels in KernelSet.available {
      for first in [Codebook.dynamic4, .normalFloat4] {
        check(kernels.name, first, .linear4Unsigned) { [adam] run, m, v, work in
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

  func testBytes() {
    for kernels in KernelSet.available {
      check(kernels.name, .dynamic8, .dynamic8Unsigned) { [adam] run, m, v, work in
        func moment(_ tensor: QuantizedTensor, _ values: UnsafeMutablePointer<Float>) -> ByteMoment {
          guard case .bytes(let map) = tensor.quantizer.codec.map else { fatalError("no 8-bit codes") }
          return ByteMoment(
            codes: tensor.storage.codes.baseAddress!, scales: tensor.storage.scales.baseAddress!, map: map,
            scaleKind: .absmax, values: values, nextValues: values + 512)
        }
        let end = kernels.byteSteps.adam(run, moment(m, work), moment(v, work + 1024), adam)
        if end != run.endBlock { fatalError("\(kernels.name) left block \(end)") }
      }
    }
  }
}
