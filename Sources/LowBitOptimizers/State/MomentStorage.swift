import BlockQuantization
internal import TileKernels

/// The memory of one moment of one parameter, owned by the parameter's state.
final class MomentStorage {
  /// What the memory holds.
  enum Content {
    case floats(UnsafeMutableBufferPointer<Float>)
    case blocks(QuantizedTensor)
    case rankOne(RankOneStorage)
    case logarithmic(LogarithmicTensor)
    case factored(FactoredStorage)
  }

  let format: MomentFormat
  let count: Int
  let content: Content
  /// The view that the step works on. Valid as long as this object.
  let memory: MomentMemory

  /// - Parameter shape: the parameter's, where the format needs one.
  init(format: MomentFormat, count: Int, shape: [Int]?) {
    self.format = format
    self.count = count
    switch format {
    case .float32:
      let memory = StateMemory.allocate(byteCount: 4 * count)
      let floats = UnsafeMutableBufferPointer(start: memory.bindMemory(to: Float.self, capacity: count), count: count)
      floats.initialize(repeating: 0)
      content = .floats(floats)
      self.memory = .float32(floats.baseAddress!)
    case .blocks(let quantizer):
      let tensor = QuantizedTensor(zeros: count, quantizer: quantizer)
      content = .blocks(tensor)
      memory = .blocks(quantizer.codec, tensor.storage.codes.baseAddress!, tensor.storage.scales.baseAddress!)
    case .rankOne(let codebook):
      let storage = RankOneStorage(zeros: shape!, codebook)
      content = .rankOne(storage)
      memory = .rankOne(storage.memory)
    case .logarithmic(let quantizer):
      let tensor = LogarithmicTensor(zeros: count, quantizer: quantizer)
      content = .logarithmic(tensor)
      memory = .logarithmic(
        LogarithmicMemory(
          codec: quantizer.codec, codes: tensor.storage.codes.baseAddress!, scales: tensor.storage.scales.baseAddress!,
          bases: tensor.storage.bases.baseAddress!))
    case .factored:
      let storage = FactoredStorage(zeros: shape!)
      content = .factored(storage)
      memory = .factored(storage.memory)
    }
  }

  deinit {
    if case .floats(let floats) = content { UnsafeMutableRawPointer(floats.baseAddress)?.deallocate() }
  }

  var byteCount: Int {
    switch content {
    case .floats: 4 * count
    case .blocks(let tensor): tensor.byteCount
    case .rankOne(let storage): storage.byteCount
    case .logarithmic(let tensor): tensor.byteCount
    case .factored(let storage): storage.byteCount
    }
  }

  /// What the next step reads.
  func decoded() -> [Float] {
    switch content {
    case .floats(let floats): Array(floats)
    case .blocks(let tensor): tensor.decode()
    case .rankOne(let storage): storage.tensor().decode()
    case .logarithmic(let tensor): tensor.decode()
    case .factored(let storage): storage.moment().decode()
    }
  }

  /// A copy of the codes and scales; nil for 32-bit state.
  func encoded() -> EncodedMoment? {
    switch content {
    case .floats: nil
    case .blocks(let tensor): .blocks(tensor.copy())
    case .rankOne(let storage): .rankOne(storage.tensor())
    case .logarithmic(let tensor): .logarithmic(tensor.copy())
    case .factored(let storage): .factored(storage.moment())
    }
  }

  /// Stores other values. Allocates copies; for conversions, not for steps.
  ///
  /// - Parameter numbers: for formats that round stochastically.
  func encode(_ values: [Float], drawing numbers: BlockRandomNumbers = BlockRandomNumbers()) {
    switch content {
    case .floats(let floats): _ = floats.update(fromContentsOf: values)
    case .blocks(let tensor):
      values.withUnsafeBufferPointer {
        tensor.quantizer.encode($0, codes: tensor.storage.codes, scales: tensor.storage.scales)
      }
    case .rankOne(let storage): storage.encode(values)
    case .logarithmic(let tensor):
      guard case .logarithmic(var memory) = memory else { return }
      memory.numbers = numbers
      memory.encode(values, blockSize: tensor.quantizer.blockSize)
    case .factored(let storage): storage.encode(values)
    }
  }
}

/// A moment as the step's inner loop sees it: pointers and numbers only.
enum MomentMemory {
  case none
  case float32(UnsafeMutablePointer<Float>)
  case blocks(BlockCodec, UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<Float>)
  case rankOne(RankOneMemory)
  case logarithmic(LogarithmicMemory)
  /// Has no values by itself: a step multiplies them from means that it has just made.
  case factored(FactoredMemory)

  /// The block's values: in place where they are floats, else decoded into `scratch`.
  @inline(__always)
  func values(
    ofBlock block: Int, at start: Int, count: Int, scratch: MomentScratch, _ kernels: KernelSet
  ) -> UnsafeMutablePointer<Float> {
    switch self {
    case .none, .factored: break
    case .float32(let floats): return floats + start
    case .blocks(let codec, let codes, let scales):
      codec.decode(
        codes + codec.byteOffset(of: start), count: count, scale: scales[block], into: scratch.values, kernels)
    case .rankOne(let memory): memory.decode(at: start, count: count, into: scratch, kernels)
    case .logarithmic(let memory):
      memory.decode(block, at: start, count: count, into: scratch.values, kernels)
    }
    return scratch.values
  }

  /// The moment for a step over blocks of 8-bit codes; nil in other formats.
  func byteMoment(_ scratch: MomentScratch) -> ByteMoment? {
    guard case .blocks(let codec, let codes, let scales) = self, case .bytes(let map) = codec.map else { return nil }
    return ByteMoment(
      codes: codes, scales: scales, map: map, scaleKind: codec.scaleKind, values: scratch.values,
      nextValues: scratch.uniforms)
  }

  /// The moment for a step over blocks of 4-bit codes; nil in other formats.
  func nibbleMoment(_ scratch: MomentScratch) -> NibbleMoment? {
    guard case .blocks(let codec, let codes, let scales) = self, case .nibbles(let map) = codec.map else { return nil }
    return NibbleMoment(
      codes: codes, scales: scales, map: map, scaleKind: codec.scaleKind, values: scratch.values)
  }

  /// The moment for passes over blocks whose scales are shared; nil in other formats.
  func sliceMoment(_ scratch: MomentScratch) -> SliceMoment? {
    guard case .rankOne(let memory) = self else { return nil }
    return SliceMoment(
      codes: memory.codes, map: memory.codec.map, geometry: memory.codec.geometry, scales: memory.scales,
      reciprocals: memory.reciprocals, values: scratch.values, walkMemory: scratch.memory)
  }

  /// Stores the block's new values, whose largest magnitude is known. They are overwritten.
  @inline(__always)
  func store(
    _ values: UnsafeMutablePointer<Float>, ofBlock block: Int, at start: Int, count: Int, absmax: Float,
    scratch: MomentScratch, _ kernels: KernelSet
  ) {
    switch self {
    case .none, .float32, .factored: break
    case .blocks(let codec, let codes, let scales):
      scales[block] = codec.encode(
        values, count: count, absmax: absmax, codes: codes + codec.byteOffset(of: start), kernels)
    case .rankOne(let memory):
      memory.encode(values, at: start, count: count, absmax: absmax, memory: scratch.memory, kernels)
    case .logarithmic(let memory):
      memory.encode(values, block, at: start, count: count, maximum: absmax, uniforms: scratch.uniforms, kernels)
    }
  }
}

/// A thread's memory for one block of one moment.
struct MomentScratch {
  /// The decoded values.
  let values: UnsafeMutablePointer<Float>
  /// A random number for each value, or the next block's values.
  let uniforms: UnsafeMutablePointer<Float>
  /// For the walk over rows and columns.
  let memory: UnsafeMutablePointer<Int>
}
