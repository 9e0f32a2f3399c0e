package import TileKernels

/// A quantizer without its names: plain numbers and pointers, so that inner loops count no references.
///
/// Valid as long as the codebook that it came from.
package struct BlockCodec {
  package let map: CodeMap
  package let isSigned: Bool
  package let scaleKind: BlockScale

  /// The byte at which the codes of the element `index`, the first of a block, begin.
  package func byteOffset(of index: Int) -> Int {
    switch map {
    case .bytes: index
    case .nibbles: index / 2
    case .packed(let map): index * map.bits / 8
    }
  }

  /// A moment of at most 4 bits, as whole steps take it; nil for 8.
  package func packedMoment(
    codes: UnsafeMutablePointer<UInt8>, scales: UnsafeMutablePointer<Float>
  ) -> PackedMoment? {
    switch map {
    case .bytes: nil
    case .nibbles(let map):
      PackedMoment(
        codes: codes, scales: scales, bits: 4, values: map.values, thresholds: map.thresholds, vectors: map.vectors,
        scaleKind: scaleKind)
    case .packed(let map):
      PackedMoment(
        codes: codes, scales: scales, bits: map.bits, values: map.values, thresholds: map.thresholds, vectors: nil,
        scaleKind: scaleKind)
    }
  }

  /// Encodes one block whose largest magnitude is known, and returns the scale to store. The values are overwritten if
  /// some are not finite.
  package func encode(
    _ values: UnsafeMutablePointer<Float>, count: Int, absmax: Float, codes: UnsafeMutablePointer<UInt8>,
    _ kernels: KernelSet
  ) -> Float {
    guard absmax < .infinity else {
      saturateStage(values, count)
      return encodeFinite(values, count: count, absmax: kernels.absmax(values, count), codes: codes, kernels)
    }
    return encodeFinite(values, count: count, absmax: absmax, codes: codes, kernels)
  }

  /// Encodes one block and returns the scale to store.
  func encode(
    _ values: UnsafePointer<Float>, count: Int, codes: UnsafeMutablePointer<UInt8>, _ kernels: KernelSet
  ) -> Float {
    let absmax = kernels.absmax(values, count)
    guard absmax < .infinity else {
      return withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { copy in
        _ = copy.initialize(from: UnsafeBufferPointer(start: values, count: count))
        return encode(copy.baseAddress!, count: count, absmax: absmax, codes: codes, kernels)
      }
    }
    return encodeFinite(values, count: count, absmax: absmax, codes: codes, kernels)
  }

  private func encodeFinite(
    _ values: UnsafePointer<Float>, count: Int, absmax: Float, codes: UnsafeMutablePointer<UInt8>, _ kernels: KernelSet
  ) -> Float {
    let scale = scaleKind.scale(of: values, count, absmax: absmax)
    let reciprocal = scaleReciprocal(scale)
    switch map {
    case .bytes(let map):
      kernels.encodeBytes(values, count, reciprocal, map, codes)
      // Only with a scale above 1 can a positive value vanish when it is divided by the scale.
      if !isSigned && reciprocal < 1 { keepPositive(values, count, codes) }
    case .nibbles(let map):
      kernels.encodeNibbles(values, count, reciprocal, map, codes)
    case .packed(let map):
      kernels.encodePacked(values, count, reciprocal, map, codes)
    }
    return scale
  }

  package func decode(
    _ codes: UnsafePointer<UInt8>, count: Int, scale: Float, into values: UnsafeMutablePointer<Float>,
    _ kernels: KernelSet
  ) {
    switch map {
    case .bytes(let map): kernels.decodeBytes(codes, count, scale, map, values)
    case .nibbles(let map): kernels.decodeNibbles(codes, count, scale, map, values)
    case .packed(let map):
      withUnsafeTemporaryAllocation(of: Float.self, capacity: 16) { levels in
        for code in 0..<16 { levels[code] = map.values[code] * scale }
        kernels.decodeLevels(codes, count, map.bits, levels.baseAddress!, values)
      }
    }
  }
}
