import TestSupport
import TileKernels
import XCTest

@testable import BlockQuantization

/// Whole steps over blocks of 4-bit codes equal the stages one after another, in every kernel set.
final class NibbleStepTests: XCTestCase {
  private let momentum = MomentumConstants(
    bufferFactor: 0.9, gradientFactor: 0.8, directionOfGradient: 1, directionOfBuffer: 0.9, learningRate: 0.1,
    coupledDecay: 0.01)

  /// A moment's codes and scales, and what the step needs to reach them.
  private final class Moment {
    let quantizer: BlockQuantizer
    let tensor: QuantizedTensor
    private let scratch = UnsafeMutablePointer<Float>.allocate(capacity: 4096)

    init(_ quantizer: BlockQuantizer, _ values: [Float]) {
      self.quantizer = quantizer
      tensor = quantizer.encode(values).copy()
      scratch.initialize(repeating: 7, count: 4096)
    }

    deinit { scratch.deallocate() }

    var nibbles: NibbleMoment {
      guard case .nibbles(let map) = quantizer.codec.map else { fatalError("no 4-bit codes") }
      return NibbleMoment(
        codes: tensor.storage.codes.baseAddress!, scales: tensor.storage.scales.baseAddress!, map: map,
        scaleKind: quantizer.codec.scaleKind, values: scratch)
    }
  }

  private struct Case {
    let count, blockSize: Int
    let parameters, gradients, first, second: [Float]
    let firstMap: Codebook
    let scaleRule: ScaleRule
    let adam: AdamConstants

    func moments() -> (first: Moment, second: Moment) {
      (
        Moment(BlockQuantizer(firstMap, blockSize: blockSize, scaleRule: scaleRule), first),
        Moment(BlockQuantizer(.linear4Unsigned, blockSize: blockSize), second)
      )
    }
  }

  private func cases() -> [Case] {
    var generator = SeededGenerator()
    return thresholdCases()
      + (0..<440).map { index in
        let count = index < 400 ? index + 1 : 31 * (index - 350)
        let special: [Float] = [
          0, .leastNonzeroMagnitude * 700, .greatestFiniteMagnitude, .infinity, .nan, 1e30, -1e-20,
        ]
        let gradients = (0..<count).map { element in
          index % 4 == 3 && element % 97 == 5 ? special[(element / 97) % special.count] : generator.wideRange()
        }
        return Case(
          count: count, blockSize: [64, 128, 100, 256][index % 4],
          parameters: (0..<count).map { element in
            index % 5 == 4 && element % 53 == 7 ? AdamConstants.specialParameters[element % 4] : generator.normal()
          }, gradients: gradients,
          first: (0..<count).map { _ in generator.wideRange() },
          second: (0..<count).map { _ in generator.wideRange().magnitude },
          firstMap: index % 3 == 0 ? .dynamic4 : .normalFloat4, scaleRule: index % 2 == 0 ? .absmax : .signedExtreme,
          adam: AdamConstants.ofEachKind[index / 4 % 3])
      }
  }

  /// Moments that are the gradients and their squares, in blocks whose scales are 1: they fall on all thresholds and next
  /// to them.
  private func thresholdCases() -> [Case] {
    let adam = AdamConstants(
      beta1: 0, oneMinusBeta1: 1, beta2: 0, oneMinusBeta2: 1, stepSize: 0.1, scaledEpsilon: 1e-8, coupledDecay: 0,
      decoupledDecay: 0)
    return [Codebook.normalFloat4, .dynamic4].map { map in
      let places: [Float] = map.thresholds + Codebook.linear4Unsigned.thresholds.map { $0.squareRoot() } + [0, 1]
      var gradients: [Float] = []
      for place in places {
        for distance in -8...8 {
          if gradients.count % 64 == 0 { gradients.append(1) }
          let value = place + Float(distance) * place.ulp
          if value.magnitude < 1 { gradients.append(distance % 3 == 0 ? -value : value) }
        }
      }
      let zeros = [Float](repeating: 0, count: gradients.count)
      return Case(
        count: gradients.count, blockSize: 64, parameters: zeros, gradients: gradients, first: zeros, second: zeros,
        firstMap: map, scaleRule: .absmax, adam: adam)
    }
  }

  private func run(_ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>, _ c: Case) -> BlockRun
  {
    BlockRun(
      parameters: parameters, gradients: gradients, count: c.count, blockSize: c.blockSize,
      blocks: 0..<(c.count + c.blockSize - 1) / c.blockSize)
  }

  /// The same block by block, through the stages that all formats use.
  private func plain(
    _ parameters: inout [Float], _ c: Case, _ first: Moment, _ second: Moment?, _ kernels: KernelSet
  ) -> Int {
    var skippedCount = 0
    for (block, start) in stride(from: 0, to: c.count, by: c.blockSize).enumerated() {
      let range = start..<min(start + c.blockSize, c.count)
      let gradient = Array(c.gradients[range])
      guard gradient.allSatisfy(\.isFinite) else {
        skippedCount += 1
        continue
      }
      var p = Array(parameters[range])
      let codec = first.quantizer.codec
      let codes = first.tensor.storage.codes.baseAddress! + codec.byteOffset(of: start)
      var m = [Float](repeating: 0, count: range.count)
      codec.decode(codes, count: m.count, scale: first.tensor.scales[block], into: &m, kernels)
      if let second {
        let secondCodes = second.tensor.storage.codes.baseAddress! + codec.byteOffset(of: start)
        var v = m
        second.quantizer.codec.decode(
          secondCodes, count: m.count, scale: second.tensor.scales[block], into: &v, kernels)
        let maxima = kernels.adam(&p, gradient, &m, &v, m.count, c.adam)
        second.tensor.storage.scales[block] = second.quantizer.codec.encode(
          &v, count: v.count, absmax: maxima.second, codes: secondCodes, kernels)
        first.tensor.storage.scales[block] = codec.encode(
          &m, count: m.count, absmax: maxima.first, codes: codes, kernels)
      } else {
        let absmax = kernels.momentum(&p, gradient, &m, m.count, momentum)
        first.tensor.storage.scales[block] = codec.encode(&m, count: m.count, absmax: absmax, codes: codes, kernels)
      }
      parameters.replaceSubrange(range, with: p)
    }
    return skippedCount
  }

  /// NaNs count as equal, since no rule promises a payload.
  private func bits(_ values: [Float]) -> [UInt32] { values.map { $0.isNaN ? 0x7fc0_0000 : $0.bitPattern } }

  func testAdam() {
    for c in cases() {
      var expected = c.parameters
      let plainMoments = c.moments()
      let skipped = plain(&expected, c, plainMoments.first, plainMoments.second, KernelSet.available[0])
      for kernels in KernelSet.available {
        var parameters = c.parameters
        let (first, second) = c.moments()
        XCTAssertEqual(
          kernels.adamOnNibbles(run(&parameters, c.gradients, c), first.nibbles, second.nibbles, c.adam), skipped)
        XCTAssertEqual(bits(parameters), bits(expected), "\(kernels.name) \(c.count)")
        XCTAssertTrue(first.tensor == plainMoments.first.tensor, "\(kernels.name) \(c.count)")
        XCTAssertTrue(second.tensor == plainMoments.second.tensor, "\(kernels.name) \(c.count)")
      }
    }
  }

  func testMomentum() {
    for c in cases() {
      let plainMoment = c.moments().first
      var expected = c.parameters
      let skipped = plain(&expected, c, plainMoment, nil, KernelSet.available[0])
      for kernels in KernelSet.available {
        var parameters = c.parameters
        let moment = c.moments().first
        XCTAssertEqual(kernels.momentumOnNibbles(run(&parameters, c.gradients, c), moment.nibbles, momentum), skipped)
        XCTAssertEqual(bits(parameters), bits(expected), "\(kernels.name) \(c.count)")
        XCTAssertTrue(moment.tensor == plainMoment.tensor, "\(kernels.name) \(c.count)")
      }
    }
  }
}
