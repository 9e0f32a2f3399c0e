import Foundation

extension StableEmbedding {
  /// Saves the table, gain and bias, as the tensors "name.weight", "name.gain" and "name.bias" of a safetensors file.
  ///
  /// The file is written beside its target, synchronised and renamed, so at every moment the old file or the new one is
  /// there, whole. Parameters are written from where they are. Equal layers write equal bytes. The format is that of
  /// <doc:CheckpointFormat>; the state of the parameters is saved by the optimizer.
  ///
  /// ```swift
  /// try embedding.save(to: folder.appending(path: "embedding.safetensors"))
  /// ```
  ///
  /// - Throws: ``CheckpointError`` if the file cannot be written, or if a parameter is not finite: the older, better file
  ///   then stays.
  public func save(to url: URL) throws(CheckpointError) { try save(to: try url.localPath()) }

  /// Saves to a path; see ``save(to:)-(URL)``.
  public func save(to path: String) throws(CheckpointError) {
    do throws(CheckpointError) {
      for (what, values) in [("weight", weight), ("gain", gain), ("bias", bias)] { try checkValues(what, values) }
      try weight.withUnsafeBufferPointer { weight throws(CheckpointError) in
        try gain.withUnsafeBufferPointer { gain throws(CheckpointError) in
          try bias.withUnsafeBufferPointer { bias throws(CheckpointError) in
            let tensors = [
              SafetensorsTensor("\(name).weight", shape: [vocabularySize, dimension], weight),
              SafetensorsTensor("\(name).gain", shape: [dimension], gain),
              SafetensorsTensor("\(name).bias", shape: [dimension], bias),
            ]
            try SealedFile.save(tensors, checkpointFields, Self.fileFormat, to: path)
          }
        }
      }
    } catch {
      throw error.at(path)
    }
  }

  /// Gives this layer the table, gain and bias of a file. Gradients become zero, because they were those of other
  /// parameters, and the last forward pass is forgotten.
  ///
  /// Everything is checked before anything changes, so for a moment there are two tables. The file must be of a layer with
  /// this one's name, sizes and padding row.
  ///
  /// ```swift
  /// let embedding = StableEmbedding(vocabularySize: 20_000, dimension: 256, name: "token")
  /// try embedding.restore(from: folder.appending(path: "embedding.safetensors"))
  /// ```
  ///
  /// - Throws: ``CheckpointError``, and the layer is then bit-identical to before.
  public func restore(from url: URL) throws(CheckpointError) { try restore(from: try url.localPath()) }

  /// Restores from a path; see ``restore(from:)-(URL)``.
  public func restore(from path: String) throws(CheckpointError) { try restore(reading: try FileSource(path)) }

  func restore(reading source: any ByteSource) throws(CheckpointError) {
    do throws(CheckpointError) {
      var file = try SealedFile(source, Self.fileFormat)
      for (field, expected) in checkpointFields.sorted(by: { $0.key < $1.key }) {
        let found = try file.field(field)
        guard found == expected else {
          throw CheckpointError(.mismatch, "metadata", "\(field) is \(found), the layer's is \(expected)")
        }
      }
      let weight: [Float] = try file.tensor("\(name).weight", count: vocabularySize * dimension)
      let gain: [Float] = try file.tensor("\(name).gain", count: dimension)
      let bias: [Float] = try file.tensor("\(name).bias", count: dimension)
      try file.checkAllTaken()
      for (what, values) in [("weight", weight), ("gain", gain), ("bias", bias)] { try checkValues(what, values) }
      // Nothing throws from here on.
      (self.weight, self.gain, self.bias) = (weight, gain, bias)
      zeroGradients()
      ids = []
      statistics = []
    } catch {
      throw error.at(source.path)
    }
  }

  static let fileFormat = FileFormat(
    "LowBitOptimizers embedding", version: 1, hint: "the file does not hold a StableEmbedding")

  /// What a layer must have in common with a file.
  private var checkpointFields: [String: String] {
    [
      "name": name, "vocabulary_size": "\(vocabularySize)", "dimension": "\(dimension)",
      "padding_index": paddingIndex.map { "\($0)" } ?? "none", "epsilon": "\(LayerNormalization.epsilon)",
    ]
  }

  private func checkValues(_ what: String, _ values: [Float]) throws(CheckpointError) {
    if let (index, problem) = values.withUnsafeBufferPointer({ MomentRegion.firstProblem(in: $0) }) {
      throw CheckpointError(.invalidValue, "\(name).\(what)[\(index)]", problem)
    }
  }
}
