package import TileKernels

// Whole tensors, in parallel over blocks.

extension BlockQuantizer {
  /// Encodes into the caller's memory, allocating nothing of its own.
  ///
  /// - Parameters:
  ///   - codes: exactly ``codeByteCount(of:)`` bytes.
  ///   - scales: exactly ``blockCount(of:)`` floats.
  public func encode(
    _ values: UnsafeBufferPointer<Float>, codes: UnsafeMutableBufferPointer<UInt8>,
    scales: UnsafeMutableBufferPointer<Float>
  ) {
    encode(values, codes: codes, scales: scales, .current)
  }

  /// Decodes into the caller's memory, allocating nothing of its own. The count is that of `values`.
  public func decode(
    codes: UnsafeBufferPointer<UInt8>, scales: UnsafeBufferPointer<Float>,
    into values: UnsafeMutableBufferPointer<Float>
  ) {
    decode(codes: codes, scales: scales, into: values, .current)
  }

  /// Encodes into the caller's memory, allocating nothing of its own.
  public func encode(_ values: Span<Float>, codes: inout MutableSpan<UInt8>, scales: inout MutableSpan<Float>) {
    values.withUnsafeBufferPointer { values in
      codes.withUnsafeMutableBufferPointer { codes in
        scales.withUnsafeMutableBufferPointer { scales in encode(values, codes: codes, scales: scales) }
      }
    }
  }

  /// Decodes into the caller's memory, allocating nothing of its own. The count is that of `values`.
  public func decode(codes: Span<UInt8>, scales: Span<Float>, into values: inout MutableSpan<Float>) {
    codes.withUnsafeBufferPointer { codes in
      scales.withUnsafeBufferPointer { scales in
        values.withUnsafeMutableBufferPointer { values in decode(codes: codes, scales: scales, into: values) }
      }
    }
  }

  /// Encodes into a new tensor.
  public func encode(_ values: Span<Float>) -> QuantizedTensor {
    values.withUnsafeBufferPointer { encode($0) }
  }

  /// Encodes into a new tensor.
  public func encode(_ values: [Float]) -> QuantizedTensor {
    values.withUnsafeBufferPointer { encode($0) }
  }

  /// Encodes into a new tensor.
  public func encode(_ values: UnsafeBufferPointer<Float>) -> QuantizedTensor {
    let tensor = QuantizedTensor(zeros: values.count, quantizer: self)
    encode(values, codes: tensor.storage.codes, scales: tensor.storage.scales)
    return tensor
  }

  package func encode(
    _ values: UnsafeBufferPointer<Float>, codes: UnsafeMutableBufferPointer<UInt8>,
    scales: UnsafeMutableBufferPointer<Float>, _ kernels: KernelSet
  ) {
    check(count: values.count, codes: codes.count, scales: scales.count)
    nonisolated(unsafe) let (values, codes, scales) = (values, codes, scales)
    nonisolated(unsafe) let codec = codec
    forEachBlock(of: values.count, blockSize: blockSize) { block, start, count in
      scales[block] = codec.encode(
        values.baseAddress! + start, count: count, codes: codes.baseAddress! + codec.byteOffset(of: start), kernels)
    }
  }

  package func decode(
    codes: UnsafeBufferPointer<UInt8>, scales: UnsafeBufferPointer<Float>,
    into values: UnsafeMutableBufferPointer<Float>, _ kernels: KernelSet
  ) {
    check(count: values.count, codes: codes.count, scales: scales.count)
    nonisolated(unsafe) let (values, codes, scales) = (values, codes, scales)
    nonisolated(unsafe) let codec = codec
    forEachBlock(of: values.count, blockSize: blockSize) { block, start, count in
      codec.decode(
        codes.baseAddress! + codec.byteOffset(of: start), count: count, scale: scales[block],
        into: values.baseAddress! + start, kernels)
    }
  }

  private func check(count: Int, codes: Int, scales: Int) {
    guard codes == codeByteCount(of: count), scales == blockCount(of: count) else {
      fatalError(
        """
        \(self): \(count) values need \(codeByteCount(of: count)) bytes of codes and \(blockCount(of: count)) scales, \
        not \(codes) and \(scales)
        """)
    }
  }
}
