/// A safetensors file whose header has been read and checked.
///
/// Names, types and sizes can be trusted; what the tensors hold has not been looked at.
package struct SafetensorsReader {
  package let header: SafetensorsHeader
  private let source: any ByteSource
  private let dataOffset: Int
  private let tensors: [String: SafetensorsHeader.Tensor]

  package init(path: String) throws(CheckpointError) { try self.init(try FileSource(path)) }

  init(_ source: any ByteSource) throws(CheckpointError) {
    self.source = source
    do throws(CheckpointError) {
      (header, dataOffset) = try Self.readHeader(source)
    } catch {
      throw error.at(source.path)
    }
    tensors = Dictionary(uniqueKeysWithValues: header.tensors.map { ($0.name, $0) })
  }

  var path: String { source.path }

  /// The length is compared with the limit and the file before anything is allocated.
  private static func readHeader(_ source: any ByteSource) throws(CheckpointError) -> (SafetensorsHeader, Int) {
    guard source.byteCount >= 8 else {
      throw CheckpointError(.malformed, "file", "\(source.byteCount) bytes are too few for a safetensors file")
    }
    var length: UInt64 = 0
    try withBytes(of: &length) { bytes throws(CheckpointError) in try source.read(bytes, at: 0) }
    length = UInt64(littleEndian: length)
    guard length <= UInt64(min(SafetensorsHeader.mostBytes, source.byteCount - 8)) else {
      throw CheckpointError(
        .malformed, "byte 0",
        "a header of \(length) bytes in a file of \(source.byteCount); the limit is \(SafetensorsHeader.mostBytes)")
    }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(length), alignment: 8)
    defer { buffer.deallocate() }
    try source.read(buffer, at: 8)
    let dataOffset = 8 + Int(length)
    let header = try SafetensorsHeader(
      parsing: UnsafeRawBufferPointer(buffer), dataByteCount: source.byteCount - dataOffset)
    return (header, dataOffset)
  }

  private static func withBytes(
    of value: inout UInt64, _ body: (UnsafeMutableRawBufferPointer) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    try withUnsafeMutableBytes(of: &value) { bytes throws(CheckpointError) in try body(bytes) }
  }

  package func tensor(_ name: String) -> SafetensorsHeader.Tensor? { tensors[name] }

  /// Reads a whole tensor into the caller's memory, which is as large as the tensor.
  package func read(
    _ tensor: SafetensorsHeader.Tensor, into buffer: UnsafeMutableRawBufferPointer
  ) throws(CheckpointError) {
    precondition(buffer.count == tensor.range.count)
    do throws(CheckpointError) {
      try source.read(buffer, at: dataOffset + tensor.range.lowerBound)
    } catch {
      throw error.at(source.path)
    }
  }
}
