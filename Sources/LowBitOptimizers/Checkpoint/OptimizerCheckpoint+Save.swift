import Foundation

extension LowBitOptimizer {
  /// Saves everything that the next step depends on: moments, step counts, formats, hyperparameters, size rule.
  ///
  /// The file is written beside its target, synchronised and renamed, so at every moment the old file or the new one is
  /// there, whole. The state is written from where it is; saving needs no copy of it. Equal states write equal bytes.
  /// The format is that of <doc:CheckpointFormat>.
  ///
  /// ```swift
  /// try optimizer.save(to: folder.appending(path: "optimizer.safetensors"))
  /// ```
  ///
  /// - Throws: ``CheckpointError`` if the file cannot be written, or if a moment holds what no training can continue
  ///   from (a NaN): the older, better checkpoint then stays.
  public final func save(to url: URL) throws(CheckpointError) {
    try save(to: try url.localPath())
  }

  /// Saves to a path; see ``save(to:)-(URL)``.
  public final func save(to path: String) throws(CheckpointError) {
    do throws(CheckpointError) {
      let states = states.values.sorted { $0.key.name.utf8.lexicographicallyPrecedes($1.key.name.utf8) }
      var entries: [CheckpointManifest.Entry] = []
      var tensors: [SafetensorsTensor] = []
      for state in states {
        guard state.key.name.utf8.count <= HeaderScanner.mostNameBytes else {
          throw CheckpointError(
            .unsupported, "\(state.key.name.prefix(40))…",
            "a key of \(state.key.name.utf8.count) bytes; the limit is \(HeaderScanner.mostNameBytes)")
        }
        let regions = state.regions
        var entry = CheckpointManifest.Entry(of: state)
        try state.check()
        entry.checksum = entry.checksum(of: regions)
        entries.append(entry)
        tensors += regions.map { $0.tensor(state.key) }
      }
      let manifest = CheckpointManifest(of: self, entries: entries)
      try SafetensorsWriter.save(tensors, metadata: manifest.metadata, to: path)
    } catch {
      throw error.at(path)
    }
  }
}

extension StateRegion {
  func tensor(_ key: ParameterKey) -> SafetensorsTensor {
    SafetensorsTensor(
      tensorName(key), region.type, shape: [region.elementCount], bytes: UnsafeRawBufferPointer(memory))
  }
}
