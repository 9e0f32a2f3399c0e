import BlockQuantization
internal import TileKernels

/// A moment with logarithmic levels, as the step's inner loop sees it.
struct LogarithmicMemory {
  let codec: LogarithmicCodec
  let codes: UnsafeMutablePointer<UInt8>
  let scales: UnsafeMutablePointer<Float>
  let bases: UnsafeMutablePointer<Float>
  /// Those of this step.
  var numbers = BlockRandomNumbers()

  @inline(__always)
  func decode(
    _ block: Int, at start: Int, count: Int, into values: UnsafeMutablePointer<Float>, _ kernels: KernelSet
  ) {
    codec.decode(
      codes + codec.byteOffset(of: start), count: count, scale: scales[block], base: bases[block], into: values,
      kernels)
  }

  @inline(__always)
  func encode(
    _ values: UnsafeMutablePointer<Float>, _ block: Int, at start: Int, count: Int, maximum: Float,
    uniforms: UnsafeMutablePointer<Float>, _ kernels: KernelSet
  ) {
    numbers.fill(block, count: count, uniforms: uniforms, kernels)
    let scale = codec.encode(
      values, count: count, maximum: maximum, uniforms: uniforms, codes: codes + codec.byteOffset(of: start), kernels)
    scales[block] = scale.scale
    bases[block] = scale.base
  }

  /// Encodes a whole tensor, for conversions.
  func encode(_ values: [Float], blockSize: Int) {
    let kernels = KernelSet.current
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * blockSize) { scratch in
      let copy = scratch.baseAddress!
      for (block, start) in stride(from: 0, to: values.count, by: blockSize).enumerated() {
        let count = min(blockSize, values.count - start)
        for i in 0..<count { copy[i] = values[start + i] }
        encode(
          copy, block, at: start, count: count, maximum: kernels.absmax(copy, count), uniforms: copy + blockSize,
          kernels)
      }
    }
  }
}

/// The random numbers that a moment of a parameter is rounded with: a function of the element's place in the whole
/// parameter, so that slices round as the whole does.
struct BlockRandomNumbers {
  var stream = RandomStream(seed: 0, keyHash: 0, moment: 0, step: 0)
  /// The first block's number in the whole parameter, of which this may be a slice.
  var firstBlock = 0

  @inline(__always)
  func fill(_ block: Int, count: Int, uniforms: UnsafeMutablePointer<Float>, _ kernels: KernelSet) {
    stream.fill(block: firstBlock &+ block, count: count, uniforms: uniforms, kernels)
  }

  func key(ofBlock block: Int) -> UInt64 { stream.key(ofBlock: firstBlock &+ block) }
}

extension ParameterState {
  func randomNumbers(ofMoment moment: Int, step: Int, seed: UInt64) -> BlockRandomNumbers {
    BlockRandomNumbers(
      stream: RandomStream(seed: seed, keyHash: keyHash, moment: moment, step: step), firstBlock: firstBlock)
  }
}

extension MomentMemory {
  /// Takes these random numbers, where the format needs any.
  mutating func draw(_ numbers: @autoclosure () -> BlockRandomNumbers) {
    guard case .logarithmic(var memory) = self else { return }
    memory.numbers = numbers()
    self = .logarithmic(memory)
  }
}
