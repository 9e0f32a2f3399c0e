import BlockQuantization
internal import TileKernels

/// The memory of a moment with one scale vector a dimension.
///
/// A step goes over it twice: the first pass finds the new scales, from the old codes and the gradient; the second makes
/// the values again and encodes them with those scales.
final class RankOneStorage {
  private let codebook: Codebook
  private let shape: SliceShape
  /// The codes, and the scale vectors one after another.
  let storage: QuantizedStorage
  /// What the step in progress writes; no part of the state.
  private let fresh: FreshScales
  let memory: RankOneMemory

  init(zeros dimensions: [Int], _ codebook: Codebook) {
    self.codebook = codebook
    shape = SliceShape(dimensions)
    storage = QuantizedStorage(
      count: dimensions.reduce(1, *), bits: codebook.bits, code: codebook.zeroCode, scaleCount: shape.sliceCount)
    fresh = FreshScales(count: shape.sliceCount)
    memory = RankOneMemory(
      codec: shape.codec(codebook), codes: storage.codes.baseAddress!, scales: storage.scales.baseAddress!,
      maxima: fresh.maxima, reciprocals: fresh.reciprocals, sliceCount: shape.sliceCount)
  }

  var byteCount: Int { storage.byteCount }

  func tensor() -> RankOneTensor {
    RankOneTensor(
      quantizer: RankOneQuantizer(codebook, shape: shape.dimensions), codes: Array(storage.codes),
      flatScales: Array(storage.scales))
  }

  func encode(_ values: [Float]) {
    let tensor = RankOneQuantizer(codebook, shape: shape.dimensions).encode(values)
    _ = storage.codes.update(fromContentsOf: tensor.codes)
    _ = storage.scales.update(fromContentsOf: tensor.flatScales)
  }
}

/// Maxima and reciprocals of the scales that a step is making.
private final class FreshScales {
  let maxima: UnsafeMutablePointer<Int32>
  let reciprocals: UnsafeMutablePointer<Float>

  init(count: Int) {
    maxima = .allocate(capacity: count)
    maxima.initialize(repeating: 0, count: count)
    reciprocals = .allocate(capacity: count)
    reciprocals.initialize(repeating: 0, count: count)
  }

  deinit {
    maxima.deallocate()
    reciprocals.deallocate()
  }
}

/// A moment with one scale vector a dimension, as the step's inner loop sees it.
struct RankOneMemory {
  let codec: RankOneCodec
  let codes: UnsafeMutablePointer<UInt8>
  let scales: UnsafeMutablePointer<Float>
  /// Magnitudes as bits; zeros between steps.
  let maxima: UnsafeMutablePointer<Int32>
  let reciprocals: UnsafeMutablePointer<Float>
  let sliceCount: Int

  @inline(__always)
  func decode(at start: Int, count: Int, into scratch: MomentScratch, _ kernels: KernelSet) {
    codec.decode(
      codes, scales: scales, start: start, count: count, into: scratch.values, memory: scratch.memory, kernels)
  }

  func raise(
    _ maxima: UnsafeMutablePointer<Int32>, to values: UnsafeMutablePointer<Float>, at start: Int, count: Int,
    memory: UnsafeMutablePointer<Int>, _ kernels: KernelSet
  ) {
    if !(kernels.absmax(values, count) < .infinity) { saturateStage(values, count) }
    codec.raise(maxima, to: values, start: start, count: count, memory: memory, kernels)
  }

  /// Encodes with the new scales. The values, whose largest magnitude is known, are overwritten.
  @inline(__always)
  func encode(
    _ values: UnsafeMutablePointer<Float>, at start: Int, count: Int, absmax: Float,
    memory: UnsafeMutablePointer<Int>, _ kernels: KernelSet
  ) {
    if !(absmax < .infinity) { saturateStage(values, count) }
    codec.encode(
      values, reciprocals: reciprocals, start: start, count: count, codes: codes, memory: memory, kernels)
  }

  func prepareScales() { RankOneCodec.reciprocals(of: maxima, count: sliceCount, into: reciprocals) }

  func commitScales() {
    RankOneCodec.scales(of: maxima, count: sliceCount, into: scales)
    maxima.update(repeating: 0, count: sliceCount)
  }
}
