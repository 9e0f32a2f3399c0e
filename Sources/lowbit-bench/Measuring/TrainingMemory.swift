import LowBitOptimizers
import ProgramSupport

/// Parameters and gradients that all optimizers of a measurement share.
///
/// The gradients are small random numbers of both signs, the same in every step: the moments settle near them and
/// never decay to subnormal numbers, which some processors handle slowly.
final class TrainingMemory {
  let count: Int
  private let parameters: UnsafeMutableBufferPointer<Float>
  private let gradients: UnsafeMutableBufferPointer<Float>

  init(count: Int, threads: Int) {
    self.count = count
    parameters = Self.allocate(count)
    gradients = Self.allocate(count)
    // Filled by several threads, so that the pages lie near the cores that will use them.
    nonisolated(unsafe) let p = parameters
    nonisolated(unsafe) let g = gradients
    forEachChunk(of: count, size: 1 << 16, threads: threads) { range in
      for i in range {
        p[i] = 0.1 * randomValue(at: i, stream: 1)
        g[i] = 0.01 * randomValue(at: i, stream: 2)
      }
    }
  }

  deinit {
    parameters.deallocate()
    gradients.deallocate()
  }

  private static func allocate(_ count: Int) -> UnsafeMutableBufferPointer<Float> {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 4 * max(count, 1), alignment: 64)
    return UnsafeMutableBufferPointer(start: memory.bindMemory(to: Float.self, capacity: count), count: count)
  }

  /// All of it as one tensor. Valid as long as this object.
  func oneTensor(_ shape: Subject.Shape = .vector) -> [TensorUpdate] {
    var updates = tensors(of: [count])
    if shape == .matrix { updates[0].shape = matrixShape(of: count) }
    return updates
  }

  /// Neighbouring tensors of these sizes. Valid as long as this object.
  func tensors(of sizes: [Int]) -> [TensorUpdate] {
    var start = 0
    return sizes.enumerated().map { index, size in
      defer { start += size }
      return TensorUpdate(
        ParameterKey(index), UnsafeMutableBufferPointer(rebasing: parameters[start..<start + size]),
        along: UnsafeBufferPointer(rebasing: gradients[start..<start + size]))
    }
  }
}

/// The matrix with the fewest rows and columns.
func matrixShape(of count: Int) -> [Int] {
  var rows = Int(Double(count).squareRoot())
  while rows > 1 && count % rows != 0 { rows -= 1 }
  return [rows, count / max(rows, 1)]
}

/// A number from −1 up to 1 that depends on its place alone, so that threads can fill memory in any order.
func randomValue(at index: Int, stream: UInt64) -> Float {
  Float(Int64(randomBits(at: index, stream: stream) >> 40) - 1 << 23) / Float(1 << 23)
}

/// Words of one sequence; streams start 2^40 words apart.
func randomBits(at index: Int, stream: UInt64) -> UInt64 {
  SplitMix64.word(at: UInt64(truncatingIfNeeded: index) &+ stream << 40)
}
