import TestSupport
import TileKernels
import XCTest

@testable import BlockQuantization

/// Whole steps over blocks of 8-bit codes equal the portable stages one after another. What they leave to the stages is left
/// as it was.
final class ByteStepTests: XCTestCase {
  private final class Moment {
    let quantizer: BlockQuantizer
    let tensor: QuantizedTensor
    private let scratch = UnsafeMutablePointer<Float>.allocate(capacity: 8192)

    init(_ quantizer: BlockQuantizer, _ values: [Float]) {
      self.quantizer = quantizer
      tensor = quantizer.encode(values).copy()
      scratch.initialize(repeating: 7, count: 8192)
    }

    deinit { scratch.deallocate() }

    var bytes: ByteMoment {
      guard case .bytes(let map) = quantizer.codec.map else { fatalError("no 8-bit codes") }
      return ByteMoment(
        codes: tensor.storage.codes.baseAddress!, scales: tensor.storage.scales.baseAddress!, map: map,
        scaleKind: quantizer.codec.scaleKind, values: scratch, nextValues: scratch + 4096)
    }

    /// The new values of a block by the stages, and how to store them.
    func decode(_ block: Int, _ range: Range<Int>) -> [Float] {
      var values = [Float](repeating: 0, count: range.count)
      quantizer.codec.decode(
        tensor.storage.codes.baseAddress! + range.lowerBound, count: range.count, scale: tensor.scales[block],
        into: &values, .portable)
      return values
    }

    func store(_ values: inout [Float], absmax: Float, _ block: Int, _ range: Range<Int>) {
      tensor.storage.scales[block] = quantizer.codec.encode(
        &values, count: range.count, absmax: absmax, codes: tensor.storage.codes.baseAddress! + range.lowerBound,
        .portable)
    }
  }

  private struct Case {
    let count, blockSize: Int
    let parameters, gradients, first, second: [Float]
    let scaleRule: ScaleRule
    let adam: AdamConstants
    let momentum: MomentumConstants

    func moments(unsigned: Codebook = .dynamic8Unsigned) -> (first: Moment, second: Moment) {
      (
        Moment(BlockQuantizer(.dynamic8, blockSize: blockSize, scaleRule: scaleRule), first),
        Moment(BlockQuantizer(unsigned, blockSize: blockSize), second)
      )
    }

    func range(_ block: Int) -> Range<Int> { block * blockSize..<min((block + 1) * blockSize, count) }
    var blockCount: Int { (count + blockSize - 1) / blockSize }
  }

  /// Lengths with and without tails, also of whole registers, gradients whose squares make scales far above and below 1,
  /// blocks of zeros, and special values.
  private func cases() -> [Case] {
    var generator = SeededGenerator()
    return (0..<80).map { index in
      let blockSize = [64, 128, 256, 1024, 100, 96, 4096, 160][index % 8]
      let count =
        index < 20 ? index * 32 + 1 : index < 60 ? 300 + 64 * index : 2 * blockSize + 32 * (index % 5)
      // With them the moments decode to zeros, and stay.
      let zeros = index % 9 == 8 ? blockSize..<2 * blockSize : 0..<0
      let special: [Float] = [
        0, -0.0, .leastNonzeroMagnitude * 700, 1e19, .greatestFiniteMagnitude, .infinity, .nan, 1e30, -1e-20,
      ]
      let size = exp2(Float(index % 7) * 8 - 20)
      let gradients = (0..<count).map { element in
        zeros.contains(element)
          ? 0
          : index % 4 == 3 && element % 97 == 5
            ? special[(element / 97) % special.count]
            : size * (index % 3 == 0 ? generator.wideRange() : generator.normal())
      }
      return Case(
        count: count, blockSize: blockSize,
        parameters: (0..<count).map { element in
          index % 5 == 4 && element % 53 == 7 ? AdamConstants.specialParameters[element % 4] : generator.normal()
        }, gradients: gradients,
        first: (0..<count).map { zeros.contains($0) ? 0 : size * generator.wideRange() },
        second: (0..<count).map { zeros.contains($0) ? 0 : size * size * generator.wideRange().magnitude },
        scaleRule: index % 2 == 0 ? .absmax : .signedExtreme, adam: AdamConstants.ofEachKind[index % 3],
        momentum: MomentumConstants.ofEachKind[index % 4])
    }
  }

  /// NaNs count as equal, since no rule promises a payload.
  private func bits(_ values: [Float]) -> [UInt32] { values.map { $0.isNaN ? 0x7fc0_0000 : $0.bitPattern } }

  /// One block by the stages, unless its gradients are not finite.
  private func updateByStages(_ p: inout [Float], _ c: Case, _ first: Moment, _ second: Moment?, _ block: Int) {
    let range = c.range(block)
    let g = Array(c.gradients[range])
    guard g.allSatisfy(\.isFinite) else { return }
    var newP = Array(p[range])
    var m = first.decode(block, range)
    if let second {
      var v = second.decode(block, range)
      let maxima = KernelSet.portable.adam(&newP, g, &m, &v, range.count, c.adam)
      first.store(&m, absmax: maxima.first, block, range)
      second.store(&v, absmax: maxima.second, block, range)
    } else {
      let absmax = KernelSet.portable.momentum(&newP, g, &m, range.count, c.momentum)
      first.store(&m, absmax: absmax, block, range)
    }
    p.replaceSubrange(range, with: newP)
  }

  /// All blocks by `step`, some at a time, and by the stages what it leaves to them. Returns how many it did itself.
  private func update(
    _ p: inout [Float], _ c: Case, _ first: Moment, _ second: Moment?, step: (BlockRun) -> Int
  ) -> Int {
    var block = 0
    var ownCount = 0
    func run(over blocks: Range<Int>) -> Int {
      p.withUnsafeMutableBufferPointer { p in
        c.gradients.withUnsafeBufferPointer { g in
          step(
            BlockRun(
              parameters: p.baseAddress!, gradients: g.baseAddress!, count: c.count, blockSize: c.blockSize,
              blocks: blocks))
        }
      }
    }
    while block < c.blockCount {
      XCTAssertEqual(run(over: block..<block), block)
      let end = min(block + 5, c.blockCount)
      let next = run(over: block..<end)
      ownCount += next - block
      if next < end { updateByStages(&p, c, first, second, next) }
      block = next < end ? next + 1 : end
    }
    return ownCount
  }

  func testAdam() {
    var ownCount = 0
    for c in cases() {
      for steps in KernelSet.available.map(\.byteSteps) {
        let plain = c.moments()
        let moments = c.moments()
        var (expected, parameters) = (c.parameters, c.parameters)
        for block in 0..<c.blockCount { updateByStages(&expected, c, plain.first, plain.second, block) }
        ownCount += update(&parameters, c, moments.first, moments.second) {
          steps.adam($0, moments.first.bytes, moments.second.bytes, c.adam)
        }
        XCTAssertEqual(bits(parameters), bits(expected), "\(c.count) \(c.blockSize)")
        XCTAssertTrue(moments.first.tensor == plain.first.tensor, "\(c.count) \(c.blockSize)")
        XCTAssertTrue(moments.second.tensor == plain.second.tensor, "\(c.count) \(c.blockSize)")
      }
    }
    XCTAssertGreaterThan(ownCount, 200)
  }

  func testMomentum() {
    var ownCount = 0
    for c in cases() {
      for steps in KernelSet.available.map(\.byteSteps) {
        let (plain, moment) = (c.moments().first, c.moments().first)
        var (expected, parameters) = (c.parameters, c.parameters)
        for block in 0..<c.blockCount { updateByStages(&expected, c, plain, nil, block) }
        ownCount += update(&parameters, c, moment, nil) { steps.momentum($0, moment.bytes, c.momentum) }
        XCTAssertEqual(bits(parameters), bits(expected), "\(c.count) \(c.blockSize)")
        XCTAssertTrue(moment.tensor == plain.tensor, "\(c.count) \(c.blockSize)")
      }
    }
    XCTAssertGreaterThan(ownCount, 200)
  }

  /// Signed second moments, and unsigned buffers.
  func testOtherMapsAreLeftToTheStages() {
    let c = cases()[30]
    let moments = c.moments(unsigned: .dynamic8)
    var parameters = c.parameters
    for steps in KernelSet.available.map(\.byteSteps) {
      let own = update(&parameters, c, moments.first, moments.second) {
        steps.adam($0, moments.first.bytes, moments.second.bytes, c.adam)
      }
      XCTAssertEqual(own, 0)
      let unsigned = c.moments().second
      XCTAssertEqual(update(&parameters, c, unsigned, nil) { steps.momentum($0, unsigned.bytes, c.momentum) }, 0)
    }
  }

  /// The reciprocal of a magnitude above 2^126 is subnormal: the product with it can be two units above 1.
  func testMagnitudesAbove1() {
    var generator = SeededGenerator()
    for index in 0..<200 {
      let largest =
        index == 0 ? 3.2342602e38 : Float.random(in: 0x1p126...Float.greatestFiniteMagnitude, using: &generator)
      let count = 64
      let c = Case(
        count: count, blockSize: count, parameters: [Float](repeating: 0, count: count),
        gradients: (0..<count).map {
          $0 == 9
            ? (index % 2 == 0 ? -largest : largest)
            : largest * generator.wideRange().magnitude.truncatingRemainder(dividingBy: 1)
        },
        first: [Float](repeating: 0, count: count), second: [Float](repeating: 0, count: count), scaleRule: .absmax,
        adam: AdamConstants.ofEachKind[0],
        momentum: MomentumConstants(
          bufferFactor: 0, gradientFactor: 1, directionOfGradient: 0, directionOfBuffer: 1, learningRate: 0,
          coupledDecay: 0))
      for steps in KernelSet.available.map(\.byteSteps) {
        let (plain, moment) = (c.moments().first, c.moments().first)
        var (expected, parameters) = (c.parameters, c.parameters)
        updateByStages(&expected, c, plain, nil, 0)
        XCTAssertEqual(update(&parameters, c, moment, nil) { steps.momentum($0, moment.bytes, c.momentum) }, 1)
        XCTAssertTrue(moment.tensor == plain.tensor, "\(largest)")
      }
    }
  }
}
