import BlockQuantization
import Foundation
import TestSupport
import XCTest

@testable import LowBitOptimizers

/// AdamWMixed with logarithmic second moments against the code of "Pushing the Limits of Low-Bit Optimizers", which was run
/// with recorded random numbers.
///
/// Departures that cannot show here beyond rounding: the peer updates the first moment by m + (1 − β1)·(g − m); at a
/// midpoint it takes the upper of two first moments, where these inputs have none; it packs the first code of a byte into
/// the highest bits. Departures that do show, and take their blocks out of the comparison for good: zeros among the second
/// moments, which count in the peer's quantile; and blocks below 1e-12, which is the least scale that the peer stores.
///
/// The files here hold 640 elements. `LOWBIT_GOLDEN` names a folder with whole ones.
final class SoloTrajectoryTests: XCTestCase {
  private let blockSize = 128

  private struct Inputs {
    var parameter: [Float]
    /// By step.
    var gradients: [[Float]]
    var uniforms: [[Float]]
  }

  private func golden(_ name: String) throws -> Safetensors {
    try Safetensors(Bundle.module.url(forResource: "Golden/\(name)", withExtension: "safetensors")!)
  }

  /// Codes one by one, from the peer's packing.
  private func codes(_ bytes: [UInt8], bits: Int) -> [UInt8] {
    // Three bits take a nibble there.
    let width = bits == 3 ? 4 : bits
    return bytes.flatMap { byte in
      stride(from: 8 - width, through: 0, by: -width).map { byte >> UInt8($0) & (1 << UInt8(width) - 1) }
    }
  }

  private func optimizer(_ golden: Safetensors) throws -> (AdamWMixed, bits: [Int]) {
    let config = try JSONSerialization.jsonObject(with: Data(try XCTUnwrap(golden.metadata["config"]).utf8))
    let fields = try XCTUnwrap(config as? [String: Any])
    let bits = try XCTUnwrap(fields["bits"] as? [Int])
    XCTAssertEqual(fields["quantizers"] as? [String], ["de", "qema"])
    let betas = try XCTUnwrap(fields["betas"] as? [Double])
    let quantile = try XCTUnwrap(fields["quantile"] as? Double)
    let first: [Int: FirstMomentFormat] = [4: .dynamic4, 3: .dynamic3, 2: .dynamic2]
    let optimizer = AdamWMixed(
      firstMoment: try XCTUnwrap(first[bits[0]]), secondMoment: .logarithmic(bits: bits[1], quantile: .exact(quantile)),
      learningRate: 1e-3, beta1: Float(betas[0]), beta2: Float(betas[1]), epsilon: 1e-8,
      weightDecay: Float(try XCTUnwrap(fields["weight_decay"] as? Double)), blockSize: blockSize)
    optimizer.sizeRule.minimumCount = 0
    return (optimizer, bits)
  }

  /// Steps through the inputs and compares at each snapshot. Returns the numbers of snapshots and of blocks compared.
  private func compare(_ golden: Safetensors, _ inputs: Inputs) throws -> (snapshots: Int, blocks: Int) {
    let (optimizer, bits) = try optimizer(golden)
    optimizer.kernels =
      RecordedRandomNumbers(inputs.uniforms, key: "p", moment: 2, blockSize: blockSize).kernels
    var parameter = inputs.parameter
    let count = parameter.count
    var hadGradient = [Bool](repeating: false, count: count)
    var isTrap = [Bool](repeating: false, count: count / blockSize)
    var result = (snapshots: 0, blocks: 0)
    for (step, gradient) in zip(1..., inputs.gradients) {
      optimizer.update("p", &parameter, along: gradient)
      for index in gradient.indices where gradient[index] != 0 { hadGradient[index] = true }
      guard case .logarithmic(let v)? = optimizer.quantizedMoments(of: "p")?.second,
        case .blocks(let m)? = optimizer.quantizedMoments(of: "p")?.first
      else {
        XCTFail("\(optimizer.report())")
        return result
      }
      for block in isTrap.indices {
        let hasZeros = hadGradient[block * blockSize..<(block + 1) * blockSize].contains(false)
        if hasZeros || v.scales[block] < 1e-12 { isTrap[block] = true }
      }
      guard golden.contains("step\(step)/p") else { continue }
      result.snapshots += 1
      let expected = golden.floats("step\(step)/p")
      let blocks = isTrap.indices.filter { !isTrap[$0] }
      result.blocks += blocks.count
      for block in blocks {
        func check(_ name: String, _ value: Float, _ tolerance: Float) {
          let expected = golden.floats("step\(step)/\(name)")[block]
          XCTAssertEqual(value, expected, accuracy: tolerance * expected, "step \(step), \(name) of block \(block)")
        }
        check("m_scale", m.scales[block], 1e-6)
        check("v_scale", v.scales[block], 1e-6)
        check("v_alpha", v.bases[block], 1e-5)
      }
      let elements = blocks.flatMap { $0 * blockSize..<($0 + 1) * blockSize }
      let worst = elements.map { (parameter[$0] - expected[$0]).magnitude }.max() ?? 0
      XCTAssertLessThanOrEqual(worst, 1e-6, "step \(step)")
      for (name, own, bits) in [("m", m.unpackedCodes, bits[0]), ("v", v.unpackedCodes, bits[1])] {
        let expected = codes(golden.bytes("step\(step)/\(name)_packed"), bits: bits)
        let unequal = elements.count { own[$0] != expected[$0] }
        XCTAssertLessThanOrEqual(unequal, elements.count / 1000, "step \(step), codes of \(name)")
      }
    }
    return result
  }

  func testFourAndTwoBits() throws {
    let result = try compare(golden("traj_solo_adamw_4-2_de-qema_clean2560"), inputs())
    XCTAssertEqual(result.snapshots, 5)
    XCTAssertEqual(result.blocks, 25)
  }

  func testTwoBitsWithTheQuarterQuantileAndDecay() throws {
    let result = try compare(golden("traj_solo_adamw_2-2_de-qema_q0.25_clean2560"), inputs())
    XCTAssertEqual(result.snapshots, 5)
    XCTAssertEqual(result.blocks, 25)
  }

  /// The 640 elements are those of the float32 trajectories.
  private func inputs() throws -> Inputs {
    let shared = try golden("torch_32bit")
    func rows(_ values: [Float]) -> [[Float]] {
      stride(from: 0, to: values.count, by: 640).map { Array(values[$0..<$0 + 640]) }
    }
    return Inputs(
      parameter: shared.floats("p0"), gradients: rows(shared.floats("grads")),
      uniforms: rows(try golden("solo_uniforms").floats("uniform")))
  }

  func testWholeFiles() throws {
    guard let path = ProcessInfo.processInfo.environment["LOWBIT_GOLDEN"] else {
      throw XCTSkip("LOWBIT_GOLDEN names no folder")
    }
    let folder = URL(fileURLWithPath: path)
    let shared = try Safetensors(folder.appendingPathComponent("inputs.safetensors"))
    let width = shared.shape("p0")[0]
    let uniforms = shared.data("uniform_u16").withUnsafeBytes {
      $0.bindMemory(to: UInt16.self).map { Float(UInt16(littleEndian: $0)) / 65536 }
    }
    var found = 0
    for name in try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    where name.hasPrefix("traj_solo_adamw_") && name.contains("_de-qema_") {
      let golden = try Safetensors(folder.appendingPathComponent(name))
      let slice = try JSONDecoder().decode([Int].self, from: Data(try XCTUnwrap(golden.metadata["slice"]).utf8))
      // Blocks of another size, where 128 does not divide the tensor: it takes the largest divisor, 125.
      guard (slice[1] - slice[0]) % blockSize == 0 else { continue }
      func rows(_ values: [Float]) -> [[Float]] {
        (0..<values.count / width).map { Array(values[$0 * width + slice[0]..<$0 * width + slice[1]]) }
      }
      let inputs = Inputs(
        parameter: rows(shared.floats("p0"))[0], gradients: rows(shared.floats("grads")), uniforms: rows(uniforms))
      let result = try compare(golden, inputs)
      print("\(name): \(result.blocks) blocks in \(result.snapshots) snapshots")
      XCTAssertEqual(result.snapshots, 5)
      XCTAssertGreaterThan(result.blocks, 5 * (slice[1] - slice[0]) / blockSize / 2)
      found += 1
    }
    XCTAssertGreaterThan(found, 0)
  }
}
