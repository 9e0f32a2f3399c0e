/// A tensor to be saved, in memory that stays valid until it is.
package struct SafetensorsTensor {
  package var name: String
  package var type: SafetensorsType
  package var shape: [Int]
  package var bytes: UnsafeRawBufferPointer

  package init(_ name: String, _ type: SafetensorsType, shape: [Int], bytes: UnsafeRawBufferPointer) {
    self.name = name
    self.type = type
    self.shape = shape
    self.bytes = bytes
  }
}

/// Writes safetensors files. The same tensors and metadata give the same bytes, in whatever order they come.
package enum SafetensorsWriter {
  /// Saves a file in one go, from the tensors' own memory; the file at `path` is replaced when the new one is complete.
  ///
  /// - Throws: ``CheckpointError`` if the file cannot be written or the header would be longer than the format allows.
  package static func save(
    _ tensors: [SafetensorsTensor], metadata: [String: String], to path: String
  ) throws(CheckpointError) {
    precondition(Set(tensors.map(\.name)).count == tensors.count, "two tensors of one name")
    let ordered = ordered(tensors)
    let header = header(of: ordered, metadata)
    guard header.count - 8 <= SafetensorsHeader.mostBytes else {
      throw CheckpointError(
        .unsupported, "header",
        "would take \(header.count - 8) bytes; the format allows \(SafetensorsHeader.mostBytes)",
        path: path)
    }
    let file = try AtomicFile(replacing: path)
    try header.withUnsafeBufferPointer { bytes throws(CheckpointError) in
      try file.append(UnsafeRawBufferPointer(bytes))
    }
    for tensor in ordered { try file.append(tensor.bytes) }
    try file.commit()
  }

  /// The widest elements first, so that all are aligned; then by name. Names are compared by their bytes, which no
  /// version of Unicode changes.
  static func ordered(_ tensors: [SafetensorsTensor]) -> [SafetensorsTensor] {
    tensors.sorted { a, b in
      a.type.bits != b.type.bits ? a.type.bits > b.type.bits : a.name.utf8.lexicographicallyPrecedes(b.name.utf8)
    }
  }

  /// The length and the JSON, padded with spaces so that the data is aligned to 8 bytes.
  static func header(of tensors: [SafetensorsTensor], _ metadata: [String: String]) -> [UInt8] {
    var json = "{"
    if !metadata.isEmpty {
      let fields = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        .map { "\(quoted($0.key)):\(quoted($0.value))" }
      json += "\"__metadata__\":{\(fields.joined(separator: ","))}"
    }
    var offset = 0
    for tensor in tensors {
      precondition(tensor.type.byteCount(of: tensor.shape.reduce(1, *)) == tensor.bytes.count, tensor.name)
      let end = offset + tensor.bytes.count
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      if json.utf8.count > 1 { json += "," }
      json += "\(quoted(tensor.name)):{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":[\(shape)]"
      json += ",\"data_offsets\":[\(offset),\(end)]}"
      offset = end
    }
    json += "}"
    json += String(repeating: " ", count: (8 - json.utf8.count % 8) % 8)
    let length = UInt64(json.utf8.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(json.utf8)
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\u{0}"..<" ":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
