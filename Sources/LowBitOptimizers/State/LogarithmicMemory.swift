import BlockQuantization
internal import TileKernels

/// A moment with logarithmic levels, as the step's inner loop sees it.
struct LogarithmicMemory {
  let codec: LogarithmicCodec
  let codes: UnsafeMutablePointer<UInt8>
  let scales: UnsafeMutablePointer<Float>
  let bases: UnsafeMutablePointer<Float>
  /// The random numbers of this step.
  var stream = RandomStream(seed: 0, keyHash: 0, moment: 0, step: 0)
  /// The first block's number in the whole parameter, of which this may be a slice.
  var firstBlock = 0

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
    stream.fill(block: firstBlock &+ block, count: count, uniforms: uniforms, kernels)
    let scale = codec.encode(
      values, count: count, maximum: maximum, uniforms: uniforms, codes: codes + codec.byteOffset(of: start), kernels)
    scales[block] = scale.scale
    bases[block] = scale.base
  }
}

extension MomentMemory {
  /// The same memory with the random numbers of one step.
  func drawing(_ moment: Int, of state: ParameterState, step: Int, seed: UInt64) -> MomentMemory {
    guard case .logarithmic(var memory) = self else { return self }
    memory.stream = RandomStream(seed: seed, keyHash: state.keyHash, moment: moment, step: step)
    memory.firstBlock = state.firstBlock
    return .logarithmic(memory)
  }
}
