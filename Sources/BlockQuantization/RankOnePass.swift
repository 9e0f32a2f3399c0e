internal import TileKernels

/// The passes over a whole tensor with one scale vector a dimension, part by part of the flattened tensor.
struct RankOnePass {
  /// Values taken together; even, so that parts begin at a byte.
  private static let partSize = 128

  let shape: SliceShape
  let codec: RankOneCodec
  let count: Int
  let kernels = KernelSet.current

  init(_ quantizer: RankOneQuantizer) {
    shape = SliceShape(quantizer.shape)
    codec = shape.codec(quantizer.codebook)
    count = quantizer.count
  }

  func encode(_ values: [Float]) -> (codes: [UInt8], scales: [Float]) {
    var codes = [UInt8](repeating: 0, count: (count + 1) / 2)
    var maxima = [Int32](repeating: 0, count: shape.sliceCount)
    var scales = [Float](repeating: 0, count: shape.sliceCount)
    var reciprocals = scales
    forEachPart { start, length, scratch, memory in
      finiteCopy(of: values, start, length, to: scratch)
      codec.raise(&maxima, to: scratch, start: start, count: length, memory: memory, kernels)
    }
    RankOneCodec.scales(of: maxima, count: shape.sliceCount, into: &scales)
    RankOneCodec.reciprocals(of: maxima, count: shape.sliceCount, into: &reciprocals)
    forEachPart { start, length, scratch, memory in
      finiteCopy(of: values, start, length, to: scratch)
      codec.encode(
        scratch, reciprocals: reciprocals, start: start, count: length, codes: &codes, memory: memory, kernels)
    }
    return (codes, scales)
  }

  func decode(_ codes: [UInt8], scales: [Float]) -> [Float] {
    var values = [Float](repeating: 0, count: count)
    forEachPart { start, length, scratch, memory in
      codec.decode(codes, scales: scales, start: start, count: length, into: scratch, memory: memory, kernels)
      for i in 0..<length { values[start + i] = scratch[i] }
    }
    return values
  }

  private func finiteCopy(of values: [Float], _ start: Int, _ length: Int, to copy: UnsafeMutablePointer<Float>) {
    values.withUnsafeBufferPointer { copy.update(from: $0.baseAddress! + start, count: length) }
    if !(kernels.absmax(copy, length) < .infinity) { saturateStage(copy, length) }
  }

  /// Calls `body` with each part's first element and length, and with scratch memory for values and for the codec.
  private func forEachPart(_ body: (Int, Int, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Int>) -> Void) {
    var memory = [Int](repeating: 0, count: 2 * shape.dimensions.count)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.partSize) { scratch in
      scratch.initialize(repeating: 0)
      for start in stride(from: 0, to: count, by: Self.partSize) {
        body(start, min(Self.partSize, count - start), scratch.baseAddress!, &memory)
      }
    }
  }
}
