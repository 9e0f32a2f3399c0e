import BlockQuantization
import TileKernels

/// What the stages of logarithmic codes need beside the blocks' data.
final class FewBitsMemory {
  static let blockSize = PackedSteps.blockSize
  let signed = BlockQuantizer.dynamic2.codec
  let levels = FewBitsMemory.array(16) { [1e-4, 1e-5, 1e-6, 1e-7][$0 % 4] as Float }
  /// The levels but the first, ascending.
  let thresholds = FewBitsMemory.array(16) { $0 < 3 ? [1e-7, 1e-6, 1e-5][$0] : Float.infinity }
  let uniforms = FewBitsMemory.array(2048) { (1 + randomValue(at: $0, stream: 5)) / 2 }

  deinit {
    for floats in [levels, thresholds, uniforms] { floats.deallocate() }
  }

  static func array<Element>(_ count: Int, _ value: (Int) -> Element) -> UnsafeMutablePointer<Element> {
    let memory = UnsafeMutablePointer<Element>.allocate(capacity: count)
    for i in 0..<count { (memory + i).initialize(to: value(i)) }
    return memory
  }
}

extension StageMemory {
  func runFewBits(_ stage: Stage, _ start: Int, _ kernels: KernelSet) {
    for start in stride(from: start, to: start + blockSize, by: FewBitsMemory.blockSize) {
      runLogarithmic(stage, start, FewBitsMemory.blockSize, kernels)
    }
  }

  private func runLogarithmic(_ stage: Stage, _ start: Int, _ count: Int, _ kernels: KernelSet) {
    let codes = unsignedCodes + start / 4
    switch stage {
    case .decodeLevels: kernels.decodeLevels(codes, count, 2, fewBits.levels, decoded + start)
    case .encodePacked:
      _ = fewBits.signed.encode(
        gradients + start, count: count, absmax: 0.01, codes: signedCodes + start / 4, kernels)
    case .fillUniforms: kernels.fillUniforms(UInt64(start), count, decoded + start)
    case .fastQuantile: _ = kernels.fastQuantile(squares + start, count)
    default:
      let levels = LogarithmicLevels(
        bits: 2, log2Base: -3.32, leastFactor: 0.1, thresholds: UnsafePointer(fewBits.thresholds))
      kernels.encodeLogarithmic(squares + start, fewBits.uniforms + start, count, levels, codes)
    }
  }
}
