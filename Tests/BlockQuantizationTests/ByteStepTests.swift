import TestSupport
import TileKernels
import XCTest

@testable import BlockQuantization

/// Whole steps over blocks of 8-bit codes equal the portable stages one after another, where a kernel set has them. What
/// they leave to the stages is left as it was.
final class ByteStepTests: XCTestCase {
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

    var bytes: ByteMoment {
      guard case .bytes(let map) = quantizer.codec.map else { fatalError("no 8-bit codes") }
      return ByteMoment(
        codes: tensor.storage.codes.baseAddress!, scales: tensor.storage.scales.baseAddress!, map: map,
        scaleKind: quantizer.codec.scaleKind, values: scratch)
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

  /// Lengths with and without tails, gradients whose squares make scales far above and below 1, and special values.
  private func cases() -> [Case] {
    var generator = SeededGenerator()
    return (0..<60).map { index in
      let count = index < 20 ? index * 32 + 1 : 300 + 64 * index
      let special: [Float] = [
        0, -0.0, .leastNonzeroMagnitude * 700, 1e19, .greatestFiniteMagnitude, .infinity, .nan, 1e30, -1e-20,
      ]
      let size = exp2(Float(index % 7) * 8 - 20)
      let gradients = (0..<count).map { element in
        index % 4 == 3 && element % 97 == 5
          ? special[(element / 97) % special.count]
          : size * (index % 3 == 0 ? generator.wideRange() : generator.normal())
      }
      return Case(
        count: count, blockSize: [64, 128, 256, 1024, 100][index % 5],
        parameters: (0..<count).map { element in
          index % 5 == 4 && element % 53 == 7 ? AdamConstants.specialParameters[element % 4] : generator.normal()
        }, gradients: gradients,
        first: (0..<count).map { _ in size * generator.wideRange() },
        second: (0..<count).map { _ in size * size * generator.wideRange().magnitude },
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

  /// All blocks by `step`, and by the stages what it leaves to them. Returns how many it did itself.
  private func update(
    _ p: inout [Float], _ c: Case, _ first: Moment, _ second: Moment?, step: (BlockRun) -> Int
  ) -> Int {
    var block = 0
    var ownCount = 0
    while block < c.blockCount {
      let next = p.withUnsafeMutableBufferPointer { p in
        c.gradients.withUnsafeBufferPointer { g in
          step(
            BlockRun(
              parameters: p.baseAddress!, gradients: g.baseAddress!, count: c.count, blockSize: c.blockSize,
              blocks: block..<c.blockCount))
        }
      }
      ownCount += next - block
      if next < c.blockCount { updateByStages(&p, c, first, second, next) }
      block = next + 1
    }
    return ownCount
  }

  private func steps() throws -> [ByteSteps] {
    let steps = KernelSet.available.compactMap(\.byteSteps)
    try XCTSkipIf(steps.isEmpty, "no kernel set of this machine has steps over 8-bit codes")
    return steps
  }

  func testAdam() throws {
    var ownCount = 0
    for c in cases() {
      for steps in try steps() {
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

  func testMomentum() throws {
    var ownCount = 0
    for c in cases() {
      for steps in try steps() {
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

  /// Other maps have no decades to compute with, or not the ones that the step expects.
  func testOtherMapsAreLeftToTheStages() throws {
    let c = cases()[30]
    let moments = c.moments(unsigned: .dynamic8)
    var parameters = c.parameters
    for steps in try steps() {
      let own = update(&parameters, c, moments.first, moments.second) {
        steps.adam($0, moments.first.bytes, moments.second.bytes, c.adam)
      }
      XCTAssertEqual(own, 0)
    }
  }
}
