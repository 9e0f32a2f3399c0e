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
    let zero = UInt8(quantizer.codebook.zeroCode)
    let sharesBytes = quantizer.codebook.bits == 4
    storage = QuantizedStorage(
      codeCount: quantizer.codeByteCount(of: count), code: sharesBytes ? zero << 4 | zero : zero,
      scaleCount: quantizer.blockCount(of: count))
    if sharesBytes && count % 2 == 1 { storage.codes[count / 2] = zero }
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
    guard quantizer.codebook.bits == 4 else { return codes }
    return (0..<count).map { storage.codes[$0 / 2] >> UInt8($0 % 2 * 4) & 15 }
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
  package let byteCount: Int
  private let memory: UnsafeMutableRawPointer

  package init(codeCount: Int, code: UInt8, scaleCount: Int) {
    // Codes first, where the alignment serves them; a few bytes of padding may come before the scales.
    let scaleOffset = (codeCount + 3) / 4 * 4
    byteCount = codeCount + 4 * scaleCount
    memory = StateMemory.allocate(byteCount: scaleOffset + 4 * scaleCount)
    let codeMemory = memory.bindMemory(to: UInt8.self, capacity: codeCount)
    codeMemory.initialize(repeating: code, count: codeCount)
    let scaleMemory = (memory + scaleOffset).bindMemory(to: Float.self, capacity: scaleCount)
    scaleMemory.initialize(repeating: 0, count: scaleCount)
    codes = UnsafeMutableBufferPointer(start: codeMemory, count: codeCount)
    scales = UnsafeMutableBufferPointer(start: scaleMemory, count: scaleCount)
  }

  deinit { memory.deallocate() }
}
