import BlockQuantization
internal import TileKernels

/// The memory of one moment of one parameter, owned by the parameter's state.
final class MomentStorage {
  let format: MomentFormat
  let count: Int
  let floats: UnsafeMutableBufferPointer<Float>
  let tensor: QuantizedTensor?
  /// The view that the step works on. Valid as long as this object.
  let memory: MomentMemory

  init(format: MomentFormat, count: Int) {
    self.format = format
    self.count = count
    switch format {
    case .float32:
      tensor = nil
      let memory = StateMemory.allocate(byteCount: 4 * count)
      floats = UnsafeMutableBufferPointer(start: memory.bindMemory(to: Float.self, capacity: count), count: count)
      floats.initialize(repeating: 0)
      self.memory = .float32(floats.baseAddress!)
    case .blocks(let quantizer):
      let tensor = QuantizedTensor(zeros: count, quantizer: quantizer)
      self.tensor = tensor
      floats = UnsafeMutableBufferPointer(start: nil, count: 0)
      memory = .blocks(quantizer.codec, tensor.storage.codes.baseAddress!, tensor.storage.scales.baseAddress!)
    }
  }

  deinit { UnsafeMutableRawPointer(floats.baseAddress)?.deallocate() }

  var byteCount: Int { tensor?.byteCount ?? 4 * count }

  /// What the next step reads.
  func decoded() -> [Float] { tensor?.decode() ?? Array(floats) }

  /// A copy of the codes and scales; nil for 32-bit state.
  func quantized() -> QuantizedTensor? { tensor?.copy() }
}

/// A moment as the step's inner loop sees it: pointers and numbers only.
enum MomentMemory {
  case none
  case float32(UnsafeMutablePointer<Float>)
  case blocks(BlockCodec, UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<Float>)

  /// The block's values: in place where they are floats, else decoded into `scratch`.
  @inline(__always)
  func values(
    ofBlock block: Int, at start: Int, count: Int, scratch: UnsafeMutablePointer<Float>, _ kernels: KernelSet
  ) -> UnsafeMutablePointer<Float> {
    switch self {
    case .none: return scratch
    case .float32(let floats): return floats + start
    case .blocks(let codec, let codes, let scales):
      codec.decode(codes + codec.byteOffset(of: start), count: count, scale: scales[block], into: scratch, kernels)
      return scratch
    }
  }

  /// The block for a rule that decodes bytes itself; nil in other formats.
  @inline(__always)
  func byteBlock(_ block: Int, at start: Int, scratch: UnsafeMutablePointer<Float>) -> ByteBlock? {
    guard case .blocks(let codec, let codes, let scales) = self, case .bytes(let map) = codec.map else { return nil }
    return ByteBlock(codes: codes + start, scale: scales[block], map: map, values: scratch)
  }

  /// Stores the block's new values, whose largest magnitude is known.
  @inline(__always)
  func store(
    _ values: UnsafeMutablePointer<Float>, ofBlock block: Int, at start: Int, count: Int, absmax: Float,
    _ kernels: KernelSet
  ) {
    if case .blocks(let codec, let codes, let scales) = self {
      scales[block] = codec.encode(
        values, count: count, absmax: absmax, codes: codes + codec.byteOffset(of: start), kernels)
    }
  }
}
