import Foundation

extension LowBitOptimizer {
  /// Makes this optimizer the one that was saved: moments, step counts, formats, hyperparameters, learning rate and size
  /// rule. Only ``threadCount`` stays. The next step is then the one that the saved optimizer would have made, bit for
  /// bit, on any CPU.
  ///
  /// Everything is checked before anything changes. The file's moments are read into new memory, and the old state is
  /// let go at the end: restoring into a new optimizer needs no more memory than the state, restoring into one that has
  /// state needs both for a moment.
  ///
  /// ```swift
  /// let optimizer = Adam8bit()
  /// try optimizer.restore(from: folder.appending(path: "optimizer.safetensors"))
  /// ```
  ///
  /// - Parameters:
  ///   - converting: false refuses a file of another precision. True encodes its moments in this optimizer's formats,
  ///     by this optimizer's size rule and block size, which then stay as they are.
  ///   - parameters: the model's parameters and their element counts, if the file must be of exactly these.
  /// - Throws: ``CheckpointError``, and the optimizer is then bit-identical to before.
  public final func restore(
    from url: URL, converting: Bool = false, expecting parameters: [ParameterKey: Int]? = nil
  ) throws(CheckpointError) {
    try restore(from: try url.localPath(), converting: converting, expecting: parameters)
  }

  /// Restores from a path; see ``restore(from:converting:expecting:)-(URL,_,_)``.
  public final func restore(
    from path: String, converting: Bool = false, expecting parameters: [ParameterKey: Int]? = nil
  ) throws(CheckpointError) {
    try restore(reading: try FileSource(path), converting: converting, expecting: parameters)
  }

  final func restore(
    reading source: any ByteSource, converting: Bool = false, expecting parameters: [ParameterKey: Int]? = nil
  ) throws(CheckpointError) {
    do throws(CheckpointError) {
      let reader = try SafetensorsReader(source)
      let manifest = try CheckpointManifest(reader.header.metadata, for: self)
      try checkPrecision(of: manifest, converting: converting)
      try checkParameters(manifest.entries.map { ($0.key, $0.count) }, expecting: parameters)
      try reader.checkTensors(of: manifest.entries)
      try reader.checkMemory(
        beside: manifest.entries.reduce(0) {
          $0 + $1.formats.passByteCount($1.shape) + (converting ? $1.formats.conversionByteCount($1.count) : 0)
        })

      var restored: [ParameterKey: ParameterState] = [:]
      restored.reserveCapacity(manifest.entries.count)
      for entry in manifest.entries {
        let state = try reader.state(entry)
        restored[entry.key] = converting ? convert(state, seed: manifest.seed) : state
      }
      // Nothing throws from here on.
      rule = manifest.rule
      learningRate = manifest.learningRate
      seed = manifest.seed
      if !converting {
        formats = manifest.formats
        sizeRule = manifest.sizeRule
      }
      states = restored
    } catch {
      throw error.at(source.path)
    }
  }

  private func checkPrecision(of manifest: CheckpointManifest, converting: Bool) throws(CheckpointError) {
    for entry in manifest.entries
    where !entry.formats.is32Bit && !manifest.formats.covers(entry.formats) {
      throw CheckpointError(
        .mismatch, "parameter/\(entry.key)", "\(entry.formats.line) in a checkpoint of \(manifest.formats.line)")
    }
    if !converting && !manifest.formats.isSamePrecision(as: formats) {
      throw CheckpointError(
        .mismatch, "formats",
        "the state is \(manifest.formats.line), the optimizer's \(formats.line); converting: true converts it")
    }
  }

  /// Sizes that agree with the caller's and with those that the optimizer has met.
  final func checkParameters(
    _ found: [(key: ParameterKey, count: Int)], expecting parameters: [ParameterKey: Int]?
  ) throws(CheckpointError) {
    for (key, count) in found {
      if let state = states[key], state.count != count {
        throw CheckpointError(
          .mismatch, "\(key)", "the file has \(count) elements, this optimizer's parameter \(state.count)")
      }
      guard let parameters else { continue }
      guard let expected = parameters[key] else {
        throw CheckpointError(.mismatch, "\(key)", "the model has no such parameter")
      }
      guard expected == count else {
        throw CheckpointError(.mismatch, "\(key)", "the file has \(count) elements, the model's parameter \(expected)")
      }
    }
    guard let parameters, parameters.count != found.count else { return }
    let missing = Set(parameters.keys).subtracting(found.map(\.key)).sorted()
    throw CheckpointError(.mismatch, "\(missing[0])", "the file has no state for this parameter of the model")
  }
}

extension StateFormats {
  private var moments: [MomentFormat] { [first] + [second].compactMap { $0 } }

  /// What a state holds beside the tensors of its file: the scales that a step is making.
  fileprivate func passByteCount(_ shape: [Int]?) -> Int {
    // Without elements a shape may have any sum.
    8 * moments.reduce(0) { if case .rankOne = $1 { $0 + shape!.reduce(0, +) } else { $0 } }
  }

  /// The most that another precision takes: the values in float32, and once more while they are encoded.
  func conversionByteCount(_ count: Int) -> Int { 8 * count * moments.count }
}

extension SafetensorsReader {
  /// Every region has its tensor, of the right type and size, and no tensor is left.
  func checkTensors(of entries: [CheckpointManifest.Entry]) throws(CheckpointError) {
    var known: Set<String> = []
    for entry in entries {
      for (region, moment) in entry.formats.regions(count: entry.count, shape: entry.shape) {
        let name = "\(entry.key).\(region.name)\(moment)"
        known.insert(name)
        guard let tensor = tensor(name) else {
          throw CheckpointError(.malformed, name, "the tensor is missing")
        }
        guard tensor.type == region.type, tensor.count == region.elementCount else {
          throw CheckpointError(
            .malformed, name,
            "\(tensor.count) elements of \(tensor.type.rawValue) where \(entry.line) takes \(region.elementCount) of "
              + region.type.rawValue)
        }
      }
    }
    if let tensor = header.tensors.first(where: { !known.contains($0.name) }) {
      throw CheckpointError(.unsupported, tensor.name, "belongs to no parameter of the file")
    }
  }

  /// That the memory for all tensors can be had: allocating a state stops the program where it cannot. They take at most
  /// the file's length, which they cover without overlap.
  ///
  /// - Parameter extra: what is needed beside them.
  func checkMemory(beside extra: Int) throws(CheckpointError) {
    let byteCount = max(header.tensors.reduce(extra) { $0 + $1.range.count }, 1)
    // Not malloc and free: the compiler takes a pair of them to succeed, and removes it.
    let memory = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0)
    guard let memory, memory != MAP_FAILED else {
      throw CheckpointError(.fileAccess, "data", "no memory for \(byteCount) bytes of state")
    }
    munmap(memory, byteCount)
  }

  fileprivate func state(_ entry: CheckpointManifest.Entry) throws(CheckpointError) -> ParameterState {
    let state = ParameterState(
      key: entry.key, count: entry.count, shape: entry.shape, formats: entry.formats, reason: entry.reason,
      role: entry.role)
    state.step = entry.step
    state.firstBlock = entry.firstBlock
    let regions = state.regions
    for region in regions { try read(tensor(region.tensorName(entry.key))!, into: region.memory) }
    try state.check()
    if let expected = entry.checksum, expected != entry.checksum(of: regions) {
      throw CheckpointError(.invalidValue, "parameter/\(entry.key)", "the checksum disagrees: the state is damaged")
    }
    return state
  }
}
