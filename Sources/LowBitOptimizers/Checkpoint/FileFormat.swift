/// What a file of this package says of itself in its metadata: its format, its version, and a checksum over all metadata.
package struct FileFormat: Sendable {
  let name: String
  /// Files of another version are refused.
  let version: Int
  /// For whoever hands over some other file.
  let hint: String

  package init(_ name: String, version: Int, hint: String) {
    self.name = name
    self.version = version
    self.hint = hint
  }

  /// The fields with format, version and checksum.
  func seal(_ fields: [String: String]) -> [String: String] {
    var metadata = fields
    metadata["format"] = name
    metadata["format_version"] = "\(version)"
    metadata["checksum"] = Self.checksum(of: metadata)
    return metadata
  }

  /// The fields that were sealed. A checksum may be missing; one that disagrees is refused.
  func open(_ metadata: [String: String]) throws(CheckpointError) -> MetadataFields {
    var fields = MetadataFields(metadata, place: "metadata")
    guard fields.takeIfPresent("format") == name else { throw CheckpointError(.unsupported, "metadata", hint) }
    _ = try fields.take("format_version", in: version...version)
    if let expected = fields.takeIfPresent("checksum"), expected != Self.checksum(of: metadata) {
      throw CheckpointError(.invalidValue, "metadata", "the checksum disagrees: the metadata is damaged")
    }
    return fields
  }

  private static func checksum(of metadata: [String: String]) -> String {
    var checksum = Checksum()
    for (name, value) in metadata.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) })
    where name != "checksum" {
      checksum.add("\(name)\0\(value)\0")
    }
    return checksum.text
  }
}
