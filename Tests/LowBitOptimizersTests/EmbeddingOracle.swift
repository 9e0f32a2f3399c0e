/// Says of any bytes whether they are a file that a StableEmbedding must accept; written from the format's description.
struct EmbeddingOracle {
  var name: String
  var vocabularySize: Int
  var dimension: Int
  var paddingIndex: Int?

  /// The tensors.
  func content(of file: [UInt8]) -> Result<[String: [UInt8]], OracleRefusal> {
    oracleVerdict {
      let file = try OracleFile(file)
      var expected = [
        "format": "LowBitOptimizers embedding", "name": name, "vocabulary_size": "\(vocabularySize)",
        "dimension": "\(dimension)", "padding_index": paddingIndex.map { "\($0)" } ?? "none", "epsilon": "1e-05",
      ]
      for (name, value) in expected { try require(file.metadata[name] == value, name) }
      try require(Int(file.metadata["format_version"] ?? "") == 1, "version")
      try requireChecksum(of: file.metadata)
      expected["format_version"] = "1"
      expected["checksum"] = "any"
      let counts = ["weight": vocabularySize * dimension, "gain": dimension, "bias": dimension]
      for (what, count) in counts {
        let tensor = "\(name).\(what)"
        let bytes = try unwrap(file.tensors[tensor], "missing")
        try require(file.types[tensor] == "F32" && bytes.count == 4 * count, "tensor")
        try require(oracleFloats(bytes).allSatisfy(\.isFinite), "value")
        if let checksum = file.metadata["checksum/\(tensor)"] { try require(checksum == oracleCRC(bytes), "checksum") }
        expected["checksum/\(tensor)"] = "any"
      }
      try require(file.tensors.count == counts.count, "unknown tensor")
      try require(Set(file.metadata.keys).isSubset(of: expected.keys), "unknown metadata")
      return file.tensors
    }
  }
}
