/// The codes and scales of one tensor.
///
/// ```swift
/// let tensor = BlockQuantizer.dynamic8.encode(values)
/// print(tensor.byteCount)                // 1,016 for 1,000 values: 1,000 codes and 4 scales
/// ```
public struct QuantizedTensor: Sendable {
  /// How the tensor was encoded.
  public let quantizer: BlockQuantizer
  /// Number of values.
  public let count: Int

  package let storage: QuantizedStorage

  /// Zeros: the code of zero everywhere, and scale 0.
  package init(zeros count: Int, quantizer: BlockQuantizer) {
    self.quantizer = quantizer
    self.count = count
    storage = QuantizedStorage(
      count: count, bits: quantizer.codebook.bits, code: quantizer.codebook.zeroCode,
      scaleCount: quantizer.blockCount(of: count))
  }

  /// A tensor of its own with the same codes and scales.
  package func copy() -> QuantizedTensor {
    let copy = QuantizedTensor(zeros: count, quantizer: quantizer)
    _ = copy.storage.codes.update(from: storage.codes)
    _ = copy.storage.scales.update(from: storage.scales)
    return copy
  }

  /// Bytes of codes and scales together, without the few that alignment adds.
  public var byteCount: Int { storage.byteCount }

  /// A copy of the codes, packed as they are stored.
  public var codes: [UInt8] { Array(storage.codes) }

  /// The codes one by one, whatever their packing.
  public var unpackedCodes: [UInt8] {
    PackedCodes.unpacked(storage.codes, count: count, bits: quantizer.codebook.bits)
  }

  /// A copy of the scales, one a block.
  public var scales: [Float] { Array(storage.scales) }

  /// The values that the codes and scales stand for.
  public func decode() -> [Float] {
    [Float](unsafeUninitializedCapacity: count) { buffer, initializedCount in
      decode(into: UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
      initializedCount = count
    }
  }

  /// Decodes into the caller's memory, allocating nothing of its own.
  public func decode(into values: inout MutableSpan<Float>) {
    values.withUnsafeMutableBufferPointer { decode(into: $0) }
  }

  /// Decodes into the caller's memory, allocating nothing of its own.
  public func decode(into values: UnsafeMutableBufferPointer<Float>) {
    guard values.count == count else { fatalError("decoding \(count) values into memory for \(values.count)") }
    quantizer.decode(
      codes: UnsafeBufferPointer(storage.codes), scales: UnsafeBufferPointer(storage.scales), into: values)
  }
}

extension QuantizedTensor: Equatable {
  public static func == (a: QuantizedTensor, b: QuantizedTensor) -> Bool {
    a.quantizer == b.quantizer && a.count == b.count && a.storage.codes.elementsEqual(b.storage.codes)
      && a.storage.scales.elementsEqual(b.storage.scales) { $0.bitPattern == $1.bitPattern }
  }
}

/// The one allocation behind a quantized tensor. It is written only by the encoder that made it and
/// by the optimizer that owns it.
package final class QuantizedStorage: @unchecked Sendable {
  package let codes: UnsafeMutableBufferPointer<UInt8>
  package let scales: UnsafeMutableBufferPointer<Float>
  /// The bases of logarithmic codes, one a block; empty for codes of a codebook.
  package let bases: UnsafeMutableBufferPointer<Float>
  package let byteCount: Int
  private let memory: UnsafeMutableRawPointer

  /// The same code everywhere, the scales 0 and the bases, if there are any, 1.
  package init(count: Int, bits: Int, code: Int, scaleCount: Int, hasBases: Bool = false) {
    let codeCount = PackedCodes.byteCount(of: count, bits: bits)
    let baseCount = hasBases ? scaleCount : 0
    // Codes first, where the alignment serves them; a few bytes of padding may come before the scales.
    let scaleOffset = (codeCount + 3) / 4 * 4
    byteCount = codeCount + 4 * (scaleCount + baseCount)
    memory = StateMemory.allocate(byteCount: scaleOffset + 4 * (scaleCount + baseCount))
    let codeMemory = memory.bindMemory(to: UInt8.self, capacity: codeCount)
    codes = UnsafeMutableBufferPointer(start: codeMemory, count: codeCount)
    PackedCodes.initialize(codes, repeating: code, count: count, bits: bits)
    let floats = (memory + scaleOffset).bindMemory(to: Float.self, capacity: scaleCount + baseCount)
    floats.initialize(repeating: 0, count: scaleCount)
    (floats + scaleCount).initialize(repeating: 1, count: baseCount)
    scales = UnsafeMutableBufferPointer(start: floats, count: scaleCount)
    bases = UnsafeMutableBufferPointer(start: floats + scaleCount, count: baseCount)
  }

  deinit { memory.deallocate() }
}
