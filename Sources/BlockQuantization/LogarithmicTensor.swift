package import TileKernels

/// The codes, largest values and bases of one tensor.
///
/// ```swift
/// let tensor = LogarithmicQuantizer(bits: 2).encode(secondMoments)
/// print(tensor.byteCount)                // 314 for 1,000 values: 250 of codes, and 8 blocks of 8
/// ```
public struct LogarithmicTensor: Sendable {
  /// How the tensor was encoded.
  public let quantizer: LogarithmicQuantizer
  /// Number of values.
  public let count: Int

  package let storage: QuantizedStorage

  /// Zeros: Δ = 0 everywhere.
  package init(zeros count: Int, quantizer: LogarithmicQuantizer) {
    self.quantizer = quantizer
    self.count = count
    storage = QuantizedStorage(
      count: count, bits: quantizer.bits, code: 0, scaleCount: quantizer.blockCount(of: count), hasBases: true)
  }

  /// A tensor of its own with the same codes, largest values and bases.
  package func copy() -> LogarithmicTensor {
    let copy = LogarithmicTensor(zeros: count, quantizer: quantizer)
    _ = copy.storage.codes.update(from: storage.codes)
    _ = copy.storage.scales.update(from: storage.scales)
    _ = copy.storage.bases.update(from: storage.bases)
    return copy
  }

  /// Bytes of codes, largest values and bases together, without the few that alignment adds.
  public var byteCount: Int { storage.byteCount }

  /// A copy of the codes, packed as they are stored.
  public var codes: [UInt8] { Array(storage.codes) }

  /// The codes one by one.
  public var unpackedCodes: [UInt8] { PackedCodes.unpacked(storage.codes, count: count, bits: quantizer.bits) }

  /// A copy of each block's largest value, Δ.
  public var scales: [Float] { Array(storage.scales) }

  /// A copy of each block's base, α.
  public var bases: [Float] { Array(storage.bases) }

  /// The values that the codes stand for.
  public func decode() -> [Float] { decode(.current) }

  package func decode(_ kernels: KernelSet) -> [Float] {
    [Float](unsafeUninitializedCapacity: count) { buffer, initializedCount in
      nonisolated(unsafe) let values = buffer
      let codec = quantizer.codec
      forEachBlock(of: count, blockSize: quantizer.blockSize) { block, start, count in
        codec.decode(
          storage.codes.baseAddress! + codec.byteOffset(of: start), count: count, scale: storage.scales[block],
          base: storage.bases[block], into: values.baseAddress! + start, kernels)
      }
      initializedCount = count
    }
  }
}

extension LogarithmicTensor: Equatable {
  public static func == (a: LogarithmicTensor, b: LogarithmicTensor) -> Bool {
    a.quantizer == b.quantizer && a.count == b.count && a.storage.codes.elementsEqual(b.storage.codes)
      && a.storage.scales.elementsEqual(b.storage.scales) { $0.bitPattern == $1.bitPattern }
      && a.storage.bases.elementsEqual(b.storage.bases) { $0.bitPattern == $1.bitPattern }
  }
}
