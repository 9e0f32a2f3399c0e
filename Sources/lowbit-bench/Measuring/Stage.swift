import BlockQuantization
import TileKernels

/// A part of the step that a kernel set provides.
enum Stage: String, CaseIterable, Sendable {
  case scan = "scan gradient"
  case adam = "rule Adam"
  case momentum = "rule Momentum"
  case decodeSigned = "decode signed"
  case decodeUnsigned = "decode unsigned"
  case encodeSigned = "encode signed"
  case encodeUnsigned = "encode unsigned"
  case adamOnBytes = "whole step of Adam, 8 bits"
  case momentumOnBytes = "whole step of Momentum, 8 bits"
  case adamOnNibbles = "whole step of Adam, 4 bits"
  case decodeNibbles = "decode 4 bits"
  case encodeNibbles = "encode 4 bits"
  case raiseSlices = "pass for scales per row and column"
  case adamOnSlices = "step of Adam with them"
  case decodeLevels = "decode 2 bits"
  case encodePacked = "encode 2 bits"
  case fillUniforms = "random numbers"
  case fastQuantile = "fast quantile"
  case encodeLogarithmic = "encode 2 logarithmic bits"
}

/// Data for the stages, small enough for the first-level cache, and used block by block as in a step.
final class StageMemory {
  let count = 2048
  let blockSize = BlockQuantizer.dynamic8.blockSize
  let signed = BlockQuantizer.dynamic8.codec
  let unsigned = BlockQuantizer.dynamic8Unsigned.codec
  private let signed4 = BlockQuantizer.dynamic4.codec
  let parameters: UnsafeMutablePointer<Float>
  let gradients: UnsafeMutablePointer<Float>
  /// Moments of the rules. They start at 0 and settle near the gradients, so that none becomes subnormal.
  private let first: UnsafeMutablePointer<Float>
  private let second: UnsafeMutablePointer<Float>
  /// Squared gradients, for the unsigned encoder.
  let squares: UnsafeMutablePointer<Float>
  let decoded: UnsafeMutablePointer<Float>
  let decodedSquares: UnsafeMutablePointer<Float>
  let signedCodes: UnsafeMutablePointer<UInt8>
  let unsignedCodes: UnsafeMutablePointer<UInt8>
  let fewBits = FewBitsMemory()
  let nibbles = NibbleMemory()

  init() {
    let count = count
    func array<Element>(_ value: (Int) -> Element) -> UnsafeMutablePointer<Element> {
      let memory = UnsafeMutableRawPointer.allocate(byteCount: count * MemoryLayout<Element>.stride, alignment: 64)
        .bindMemory(to: Element.self, capacity: count)
      for i in 0..<count { (memory + i).initialize(to: value(i)) }
      return memory
    }
    let gradient: (Int) -> Float = { 0.01 * randomValue(at: $0, stream: 2) }
    parameters = array { 0.1 * randomValue(at: $0, stream: 1) }
    gradients = array(gradient)
    first = array { _ in 0 }
    second = array { _ in 0 }
    squares = array { gradient($0) * gradient($0) }
    decoded = array { _ in 0 }
    decodedSquares = array { _ in 0 }
    signedCodes = array { UInt8(truncatingIfNeeded: randomBits(at: $0, stream: 3)) }
    unsignedCodes = array { UInt8(truncatingIfNeeded: randomBits(at: $0, stream: 4)) }
  }

  deinit {
    for floats in [parameters, gradients, first, second, squares, decoded, decodedSquares] {
      floats.deallocate()
    }
    for codes in [signedCodes, unsignedCodes] { codes.deallocate() }
  }

  /// The stage on all blocks.
  func body(of stage: Stage, _ kernels: KernelSet) -> TimedBody {
    TimedBody(count: count) { [self] in
      switch stage {
      case .adamOnBytes, .momentumOnBytes, .adamOnNibbles, .raiseSlices, .adamOnSlices: runOverBlocks(stage, kernels)
      default: for start in stride(from: 0, to: count, by: blockSize) { run(stage, start, kernels) }
      }
    }
  }

  private func run(_ stage: Stage, _ start: Int, _ kernels: KernelSet) {
    switch stage {
    case .scan: _ = kernels.absmax(gradients + start, blockSize)
    case .adam:
      _ = kernels.adam(
        parameters + start, gradients + start, first + start, second + start, blockSize, adamConstants)
    case .momentum:
      _ = kernels.momentum(
        parameters + start, gradients + start, first + start, blockSize, momentumConstants)
    case .decodeSigned:
      signed.decode(signedCodes + start, count: blockSize, scale: 0.01, into: decoded + start, kernels)
    case .decodeUnsigned:
      unsigned.decode(unsignedCodes + start, count: blockSize, scale: 1e-4, into: decoded + start, kernels)
    case .encodeSigned:
      _ = signed.encode(gradients + start, count: blockSize, absmax: 0.01, codes: signedCodes + start, kernels)
    case .encodeUnsigned:
      _ = unsigned.encode(squares + start, count: blockSize, absmax: 1e-4, codes: unsignedCodes + start, kernels)
    case .decodeNibbles:
      signed4.decode(signedCodes + start / 2, count: blockSize, scale: 0.01, into: decoded + start, kernels)
    case .encodeNibbles:
      _ = signed4.encode(gradients + start, count: blockSize, absmax: 0.01, codes: signedCodes + start / 2, kernels)
    case .adamOnBytes, .momentumOnBytes, .adamOnNibbles, .raiseSlices, .adamOnSlices: break
    case .decodeLevels, .encodePacked, .fillUniforms, .fastQuantile, .encodeLogarithmic:
      runFewBits(stage, start, kernels)
    }
  }

  let adamConstants = AdamConstants(
    beta1: 0.9, oneMinusBeta1: 0.1, beta2: 0.999, oneMinusBeta2: 0.001, stepSize: 1e-12, scaledEpsilon: 1e-8,
    coupledDecay: 0, decoupledDecay: 0)

  let momentumConstants = MomentumConstants(
    bufferFactor: 0.9, gradientFactor: 1, directionOfGradient: 0, directionOfBuffer: 1, learningRate: 1e-12,
    coupledDecay: 0)
}
