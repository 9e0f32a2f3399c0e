/// A file of whole tensors, each with its checksum in the metadata: what StableEmbedding and the training program save.
///
/// Fields and tensors are taken one by one, so that none is missed and none is left.
package struct SealedFile {
  private var fields: MetadataFields
  private let reader: SafetensorsReader
  private var names: [String]

  package init(_ path: String, _ format: FileFormat) throws(CheckpointError) {
    try self.init(try FileSource(path), format)
  }

  init(_ source: any ByteSource, _ format: FileFormat) throws(CheckpointError) {
    let reader = try SafetensorsReader(source)
    self.reader = reader
    fields = try located(source.path) { () throws(CheckpointError) in try format.open(reader.header.metadata) }
    names = reader.header.tensors.map(\.name)
  }

  /// Saves in one go, from the tensors' own memory. Equal tensors and fields write equal bytes.
  package static func save(
    _ tensors: [SafetensorsTensor], _ fields: [String: String], _ format: FileFormat, to path: String
  ) throws(CheckpointError) {
    var fields = fields
    for tensor in tensors {
      guard tensor.name.utf8.count <= HeaderScanner.mostNameBytes else {
        throw CheckpointError(
          .unsupported, "\(tensor.name.prefix(40))…",
          "a name of \(tensor.name.utf8.count) bytes; the limit is \(HeaderScanner.mostNameBytes)", path: path)
      }
      fields[checksumField(tensor.name)] = checksum(tensor.bytes)
    }
    try SafetensorsWriter.save(tensors, metadata: format.seal(fields), to: path)
  }

  package mutating func field(_ name: String) throws(CheckpointError) -> String {
    try located(reader.path) { () throws(CheckpointError) in try fields.take(name) }
  }

  package mutating func field(_ name: String, in range: ClosedRange<Int>) throws(CheckpointError) -> Int {
    try located(reader.path) { () throws(CheckpointError) in try fields.take(name, in: range) }
  }

  /// Reads a tensor, which must have this many elements of this type. The number is the caller's, not the file's: nothing
  /// is allocated for a file that lies.
  package mutating func tensor<Element: SafetensorsElement>(
    _ name: String, count: Int, of type: Element.Type = Element.self
  ) throws(CheckpointError) -> [Element] {
    guard let tensor = reader.tensor(name) else { throw failure(.mismatch, name, "the tensor is missing") }
    guard tensor.type == Element.safetensorsType, tensor.count == count else {
      throw failure(
        .mismatch, name,
        "\(tensor.count) elements of \(tensor.type.rawValue), not \(count) of \(Element.safetensorsType.rawValue)")
    }
    let values: [Element] = try reader.values(tensor)
    if let expected = fields.takeIfPresent(Self.checksumField(name)),
      expected != values.withUnsafeBytes({ Self.checksum($0) })
    {
      throw failure(.invalidValue, name, "the checksum disagrees: the tensor is damaged")
    }
    names.removeAll { $0 == name }
    return values
  }

  package func checkAllTaken() throws(CheckpointError) {
    if let name = names.first { throw failure(.unsupported, name, "the tensor is unknown here") }
    try located(reader.path) { () throws(CheckpointError) in try fields.checkAllTaken() }
  }

  private func failure(_ kind: CheckpointError.Kind, _ place: String, _ problem: String) -> CheckpointError {
    CheckpointError(kind, place, problem, path: reader.path)
  }

  private static func checksumField(_ name: String) -> String { "checksum/\(name)" }

  private static func checksum(_ bytes: UnsafeRawBufferPointer) -> String {
    var checksum = Checksum()
    checksum.add(bytes)
    return checksum.text
  }
}

/// Names the file in an error that does not do so yet.
private func located<Result>(
  _ path: String, _ body: () throws(CheckpointError) -> Result
) throws(CheckpointError) -> Result {
  do throws(CheckpointError) { return try body() } catch { throw error.at(path) }
}

/// A type whose memory is that of a safetensors element.
package protocol SafetensorsElement {
  static var safetensorsType: SafetensorsType { get }
  static var zero: Self { get }
}

extension Float: SafetensorsElement {
  package static var safetensorsType: SafetensorsType { .f32 }
}

extension Double: SafetensorsElement {
  package static var safetensorsType: SafetensorsType { .f64 }
}

extension SafetensorsTensor {
  package init<Element: SafetensorsElement>(_ name: String, shape: [Int], _ values: UnsafeBufferPointer<Element>) {
    self.init(name, Element.safetensorsType, shape: shape, bytes: UnsafeRawBufferPointer(values))
  }
}

extension SafetensorsReader {
  /// A whole tensor of that type.
  func values<Element: SafetensorsElement>(
    _ tensor: SafetensorsHeader.Tensor
  ) throws(CheckpointError) -> [Element] {
    var values = [Element](repeating: .zero, count: tensor.count)
    try values.withUnsafeMutableBufferPointer { values throws(CheckpointError) in
      try read(tensor, into: UnsafeMutableRawBufferPointer(values))
    }
    return values
  }
}
