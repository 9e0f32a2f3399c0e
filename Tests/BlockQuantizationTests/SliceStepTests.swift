import TestSupport
import TileKernels
import XCTest

@testable import BlockQuantization

/// The passes of Adam over second moments with one scale vector a dimension: every kernel set gives the portable set's
/// bits.
final class SliceStepTests: XCTestCase {
  private enum Values: CaseIterable {
    case ordinary, notFinite, huge, zeros, specialParameters
  }

  /// A tensor and its state.
  private struct Case {
    let shape: SliceShape
    let count, blockSize: Int
    let gradients: [Float]
    let scales: [Float]
    let firstMap: Codebook
    let scaleKind: BlockScale
    let constants: AdamConstants
    let parameters: [Float]
    let firstCodes, secondCodes: [UInt8]
    let firstScales: [Float]
    let maxima: [Int32]

    init(
      _ dimensions: [Int], blockSize: Int, _ values: Values, _ constants: AdamConstants, scaleKind: BlockScale,
      _ generator: inout SeededGenerator
    ) {
      self.blockSize = blockSize
      self.constants = constants
      self.scaleKind = scaleKind
      firstMap = scaleKind == .absmax ? .dynamic4 : .normalFloat4
      shape = SliceShape(dimensions)
      count = dimensions.reduce(1, *)
      let blockCount = (count + blockSize - 1) / blockSize
      let width = dimensions.last!
      let notFinite: [Float] = [.infinity, -.infinity, .nan]
      let huge: [Float] = [3e19, -.greatestFiniteMagnitude, 1e25, 1e18]
      gradients = (0..<count).map { element in
        switch values {
        case .notFinite where element / blockSize % 3 == 1 && element % blockSize == element / blockSize % 64:
          notFinite[element / blockSize % 9 / 3]
        case .huge where element % 89 == 11: huge[element % 4]
        case .zeros where element % width % 5 == 0 || element / width % 3 == 0: 0
        default: element % 7 == 0 ? generator.wideRange() : generator.normal()
        }
      }
      scales = (0..<shape.sliceCount).map { slice in
        switch values {
        case .zeros where slice % 4 == 0: 0
        case .huge where slice % 2 == 0: .greatestFiniteMagnitude
        default: generator.wideRange().magnitude
        }
      }
      parameters = (0..<count).map { element in
        values == .specialParameters && element % 71 == 5
          ? AdamConstants.specialParameters[element % 4] : generator.normal()
      }
      firstCodes = (0..<(count + 1) / 2).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
      secondCodes = firstCodes.map { _ in UInt8(truncatingIfNeeded: generator.next()) }
      firstScales = (0..<blockCount).map { _ in values == .zeros ? 0 : generator.wideRange() }
      maxima = (0..<shape.sliceCount).map { $0 % 6 == 1 ? magnitudeBits(generator.wideRange()) : 0 }
    }

    /// What both passes leave, in two runs each.
    func stepped(_ kernels: KernelSet) -> Result {
      guard case .nibbles(let firstMap) = firstMap.tables.map,
        case .nibbles(let secondMap) = Codebook.linear4Unsigned.tables.map
      else { fatalError("no 4-bit codes") }
      let memory = (
        parameters: Memory(parameters), gradients: Memory(gradients), firstCodes: Memory(firstCodes),
        secondCodes: Memory(secondCodes), firstScales: Memory(firstScales), scales: Memory(scales),
        reciprocals: Memory(scales), maxima: Memory(maxima), values: Memory([Float](repeating: 7, count: blockSize)),
        secondValues: Memory([Float](repeating: 7, count: blockSize)),
        walk: Memory([Int](repeating: 0, count: 2 * shape.dimensions.count))
      )
      defer { withExtendedLifetime(memory) {} }
      let first = NibbleMoment(
        codes: memory.firstCodes.pointer, scales: memory.firstScales.pointer, map: firstMap, scaleKind: scaleKind,
        values: memory.values.pointer)
      let second = SliceMoment(
        codes: memory.secondCodes.pointer, map: secondMap, geometry: shape.geometry, scales: memory.scales.pointer,
        reciprocals: memory.reciprocals.pointer, values: memory.secondValues.pointer, walkMemory: memory.walk.pointer)
      let runs = [firstScales.count / 3..<firstScales.count, 0..<firstScales.count / 3].map {
        BlockRun(
          parameters: memory.parameters.pointer, gradients: memory.gradients.pointer, count: count,
          blockSize: blockSize, blocks: $0)
      }
      for run in runs { kernels.raiseAdamSlices(run, second, memory.maxima.pointer, constants) }
      RankOneCodec.reciprocals(of: memory.maxima.pointer, count: maxima.count, into: memory.reciprocals.pointer)
      let skippedCount = runs.reduce(0) { $0 + kernels.adamOnSlices($1, first, second, constants) }
      return Result(
        maxima: memory.maxima.array, skippedCount: skippedCount, parameters: bits(memory.parameters.array),
        firstCodes: memory.firstCodes.array, secondCodes: memory.secondCodes.array,
        firstScales: bits(memory.firstScales.array))
    }

    /// NaNs count as equal, since no rule promises a payload.
    private func bits(_ values: [Float]) -> [UInt32] { values.map { $0.isNaN ? 0x7fc0_0000 : $0.bitPattern } }
  }

  private struct Result {
    let maxima: [Int32]
    let skippedCount: Int
    let parameters: [UInt32]
    let firstCodes, secondCodes: [UInt8]
    let firstScales: [UInt32]

    func differences(from other: Result) -> [String] {
      [
        ("maxima", maxima == other.maxima), ("skipped", skippedCount == other.skippedCount),
        ("parameters", parameters == other.parameters), ("first codes", firstCodes == other.firstCodes),
        ("second codes", secondCodes == other.secondCodes), ("first scales", firstScales == other.firstScales),
      ].filter { !$0.1 }.map(\.0)
    }
  }

  /// An array where kernels can write.
  private final class Memory<Element> {
    let pointer: UnsafeMutablePointer<Element>
    private let count: Int

    init(_ array: [Element]) {
      count = array.count
      pointer = .allocate(capacity: count)
      pointer.initialize(from: array, count: count)
    }

    deinit { pointer.deallocate() }

    var array: [Element] { Array(UnsafeBufferPointer(start: pointer, count: count)) }
  }

  /// Rows that hold many blocks, that blocks cross, that are odd or suit no vector, and of single elements; tails.
  private let shapes = [
    [5, 768], [3, 1024], [7, 300], [9, 48], [40, 16], [21, 64], [300, 7], [2, 1001], [1, 2500], [1500, 1], [5, 6, 80],
    [3, 4, 3, 3], [4, 3, 2, 128], [2, 3, 4, 97], [33, 33], [1, 1, 5],
  ]

  func testEveryKernelSet() {
    var generator = SeededGenerator()
    var index = 0
    for dimensions in shapes {
      for blockSize in [64, 128, 256, 100, 2048] {
        for values in Values.allCases {
          for constants in AdamConstants.ofEachKind {
            index += 1
            let c = Case(
              dimensions, blockSize: blockSize, values, constants,
              scaleKind: index % 2 == 0 ? .absmax : .signedExtreme, &generator)
            let expected = c.stepped(KernelSet.available[0])
            XCTAssertEqual(expected.skippedCount > 0, c.gradients.contains { !$0.isFinite })
            for kernels in KernelSet.available.dropFirst() {
              XCTAssertEqual(
                c.stepped(kernels).differences(from: expected), [],
                "\(kernels.name) \(dimensions) \(blockSize) \(values) \(constants.decayTerms)")
            }
          }
        }
      }
    }
  }
}
