import BlockQuantization
import TestSupport
import XCTest

@testable import LowBitOptimizers

/// AdamW against the code of the paper, with that paper's maps: scales per block for a vector, per row and column for a matrix.
///
/// The files here hold the first steps, or some blocks. `LOWBIT_GOLDEN` names a folder with whole ones, of any shape.
final class FourBitTrajectoryTests: XCTestCase {
  private func file(_ name: String, in folder: URL?) throws -> Safetensors {
    try Safetensors(
      folder?.appendingPathComponent("\(name).safetensors")
        ?? Bundle.module.url(forResource: "Golden/\(name)", withExtension: "safetensors")!)
  }

  /// Steps through the inputs and compares at each snapshot. Returns the number of snapshots.
  private func compare(
    _ golden: Safetensors, _ inputs: Safetensors, shape: [Int]?, file: StaticString = #filePath, line: UInt = #line
  ) throws -> Int {
    let count = shape?.reduce(1, *) ?? golden.shape("step1/p")[0]
    let stride = inputs.shape("grads")[1]
    let optimizer = AdamWMixed(
      firstMoment: .dynamic4, secondMoment: .linear4, learningRate: 1e-3, weightDecay: 0.01, blockSize: 128)
    optimizer.sizeRule.minimumCount = 0
    var parameter = Array(inputs.floats("p0").prefix(count))
    var snapshots = 0
    for step in 1...inputs.shape("grads")[0] {
      let gradient = Array(inputs.floats("grads")[(step - 1) * stride..<(step - 1) * stride + count])
      optimizer.update("p", &parameter, along: gradient, shape: shape)
      guard golden.contains("step\(step)/p") else { continue }
      snapshots += 1
      let expected = golden.floats("step\(step)/p")
      let worst = zip(parameter, expected).map { ($0 - $1).magnitude }.max()!
      XCTAssertLessThanOrEqual(worst, 1e-6, "step \(step)", file: file, line: line)

      let moments = try XCTUnwrap(optimizer.quantizedMoments(of: "p"))
      for (name, moment) in [("m", moments.first), ("v", moments.second)] {
        let moment = try XCTUnwrap(moment)
        let scales = moment.scales
        let vectors = shape?.indices.map { "step\(step)/v_max_dim\($0)" }
        let names = name == "m" ? ["step\(step)/m_absmax"] : vectors ?? ["step\(step)/v_absmax"]
        let expectedScales = names.flatMap { golden.floats($0) }
        XCTAssertEqual(scales.count, expectedScales.count, file: file, line: line)
        for (scale, expected) in zip(scales, expectedScales) {
          XCTAssertEqual(scale, expected, accuracy: 1e-6 * expected, "step \(step) \(name)", file: file, line: line)
        }
        // Where the scale is 0, the paper's code writes another code, which decodes to 0 just as well. Only there does a
        // second moment decode to 0.
        let codes = golden.bytes("step\(step)/\(name)_packed").flatMap { [$0 & 15, $0 >> 4] }
        let values = moment.decode()
        let own = moment.unpackedCodes
        let unequal = own.indices.filter { index in
          own[index] != codes[index]
            && (name == "v" ? values[index] != 0 : scales[index / 128] != 0)
        }
        XCTAssertEqual(unequal, [], "step \(step) \(name)", file: file, line: line)
      }
    }
    return snapshots
  }

  func testVector() throws {
    let inputs = try file("inputs_blocks", in: nil)
    XCTAssertEqual(try compare(file("traj_thuml_adamw4bit_1d_12365_group128", in: nil), inputs, shape: nil), 5)
  }

  func testMatrix() throws {
    let inputs = try file("inputs_first_steps", in: nil)
    let golden = try file("traj_thuml_adamw4bit_2d_96x128_rank1", in: nil)
    XCTAssertEqual(try compare(golden, inputs, shape: [96, 128]), 3)
  }

  func testWholeFiles() throws {
    guard let path = ProcessInfo.processInfo.environment["LOWBIT_GOLDEN"] else {
      throw XCTSkip("LOWBIT_GOLDEN names no folder")
    }
    let folder = URL(fileURLWithPath: path)
    let inputs = try file("inputs", in: folder)
    var found = 0
    for (name, shape) in [
      ("1d_12365_group128", nil), ("2d_96x128_rank1", [96, 128]), ("3d_16x24x32_rank1", [16, 24, 32]),
    ] as [(String, [Int]?)] {
      guard let golden = try? file("traj_thuml_adamw4bit_\(name)", in: folder) else { continue }
      XCTAssertEqual(try compare(golden, inputs, shape: shape), 5, name)
      found += 1
    }
    XCTAssertGreaterThan(found, 0)
  }
}
