import Foundation

@testable import LowBitOptimizers

// libFuzzer calls this with inputs that it makes from those that reached new code.
//
// The first byte chooses what reads the rest, the file: from 0 an optimizer and one of four ways to read, from 252 the
// embedding.

nonisolated(unsafe) private let optimizers: [(LowBitOptimizer, CheckpointOracle)] =
  OptimizerSubject.all.enumerated().map { index, subject in
    (subject.make(blockSize: index % 2 == 0 ? 64 : 104), CheckpointOracle(rule: subject.rule, formats: subject.formats))
  }

private func choice(optimizer: Int, imports: Bool, converting: Bool) -> UInt8 {
  UInt8(optimizer + optimizers.count * ((converting ? 1 : 0) + (imports ? 2 : 0)))
}

private let embeddingChoice: UInt8 = 252

private func prepare(_ optimizer: LowBitOptimizer) {
  optimizer.reset()
  SmallModel.prepare(optimizer)
  SmallModel.update(optimizer) { Float($0) - 20 }
}

/// Everything that a checkpoint holds: the metadata, and the bytes of all moments.
private func snapshot(_ optimizer: LowBitOptimizer) -> [String: [UInt8]] {
  let states = optimizer.states.values.sorted { $0.key < $1.key }
  let manifest = CheckpointManifest(of: optimizer, entries: states.map { CheckpointManifest.Entry(of: $0) })
  var snapshot = manifest.metadata.mapValues { Array($0.utf8) }
  for state in states {
    for region in state.regions { snapshot[region.tensorName(state.key)] = Array(region.memory) }
  }
  return snapshot
}

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ count: UnsafePointer<CInt>, _ arguments: UnsafeRawPointer) -> CInt {
  precondition(4 * optimizers.count <= Int(embeddingChoice))
  for (optimizer, _) in optimizers { prepare(optimizer) }
  // Enumerations with several kinds of objects mark the pointers to them, and LeakSanitizer does not know those. What is
  // alive at the end would count as lost.
  atexit { for (optimizer, _) in optimizers { optimizer.reset() } }
  if let folder = ProcessInfo.processInfo.environment["FUZZ_CORPUS"] { writeCorpus(URL(fileURLWithPath: folder)) }
  return 0
}

/// The codebooks' tables, which live as long as the process and are reached by marked pointers too.
@_cdecl("__lsan_default_suppressions")
public func suppressions() -> UnsafePointer<UInt8> {
  let text: StaticString = "leak:NibbleTables\nleak:PackedTables\n"
  return text.utf8Start
}

/// Sound files to begin with: checkpoints with checksums and without, and exports.
private func writeCorpus(_ folder: URL) {
  func write(_ choice: UInt8, _ file: Data) {
    try! (Data([choice]) + file).write(to: folder.appendingPathComponent("\(choice)-\(file.count)"))
  }
  try! FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  let path = folder.appendingPathComponent("seed")
  for (index, (optimizer, _)) in optimizers.enumerated() {
    try! optimizer.save(to: path)
    write(choice(optimizer: index, imports: false, converting: false), try! Data(contentsOf: path))
    let states = optimizer.states.values.sorted { $0.key < $1.key }
    var metadata = CheckpointManifest(of: optimizer, entries: states.map { CheckpointManifest.Entry(of: $0) }).metadata
    metadata["checksum"] = nil
    let tensors = states.flatMap { state in state.regions.map { $0.tensor(state.key) } }
    try! SafetensorsWriter.save(tensors, metadata: metadata, to: path.path)
    for converting in [false, true] {
      write(choice(optimizer: index, imports: false, converting: converting), try! Data(contentsOf: path))
    }
    for layout in ForeignLayout.allCases where (try? optimizer.exportState(to: path, as: layout)) != nil {
      for converting in [false, true] {
        write(choice(optimizer: index, imports: true, converting: converting), try! Data(contentsOf: path))
      }
    }
  }
  // In bitsandbytes' own block size.
  let index = OptimizerSubject.all.firstIndex { $0.name == "Adam8bit" }!
  for blockSize in [256, 2048] {
    let optimizer = OptimizerSubject.all[index].make(blockSize: blockSize)
    prepare(optimizer)
    for layout in ForeignLayout.allCases where (try? optimizer.exportState(to: path, as: layout)) != nil {
      for converting in [false, true] {
        write(choice(optimizer: index, imports: true, converting: converting), try! Data(contentsOf: path))
      }
    }
  }
  try! embedding().save(to: path)
  write(embeddingChoice, try! Data(contentsOf: path))
  var metadata = try! SafetensorsReader(path: path.path).header.metadata
  for name in metadata.keys where name.hasPrefix("checksum") { metadata[name] = nil }
  let zeros = [Float](repeating: 0, count: 15)
  zeros.withUnsafeBufferPointer { zeros in
    let row = UnsafeBufferPointer(rebasing: zeros[..<3])
    let tensors = [
      SafetensorsTensor("token.weight", shape: [5, 3], zeros), SafetensorsTensor("token.gain", shape: [3], row),
      SafetensorsTensor("token.bias", shape: [3], row),
    ]
    try! SafetensorsWriter.save(tensors, metadata: metadata, to: path.path)
  }
  write(embeddingChoice, try! Data(contentsOf: path))
  try! FileManager.default.removeItem(at: path)
}

@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  guard count > 0 else { return 0 }
  let choice = Int(start[0])
  let bytes = UnsafeRawBufferPointer(start: start + 1, count: count - 1)
  if choice >= Int(embeddingChoice) {
    testEmbedding(bytes)
    return 0
  }
  var (optimizer, oracle) = optimizers[choice % optimizers.count]
  oracle.converting = choice / optimizers.count % 2 == 1
  let imports = choice / optimizers.count / 2 % 2 == 1
  let source = MemorySource(bytes: bytes)
  let before = snapshot(optimizer)
  do {
    if imports {
      try optimizer.importState(reading: source, converting: oracle.converting)
    } else {
      try optimizer.restore(reading: source, converting: oracle.converting)
    }
  } catch {
    guard snapshot(optimizer) == before else { fatalError("a refused file changed the state: \(error)") }
    // The oracle does not know the sizes that the optimizer has met.
    if !imports, error.kind != .mismatch, case .success = oracle.content(of: Array(bytes)) {
      fatalError("refused, though sound: \(error)")
    }
    return 0
  }
  if !imports, case .failure(let refusal) = oracle.content(of: Array(bytes)) {
    fatalError("accepted, though the oracle says: \(refusal.reason)")
  }
  // What was accepted must also serve a step.
  for (key, state) in optimizer.states where state.count < 1 << 16 {
    var parameter = [Float](repeating: 1, count: state.count)
    optimizer.update(key, &parameter, along: parameter)
  }
  prepare(optimizer)
  return 0
}

private func embedding() -> StableEmbedding {
  StableEmbedding(vocabularySize: 5, dimension: 3, paddingIndex: 1, name: "token")
}

private func snapshot(_ layer: StableEmbedding) -> [[UInt32]] {
  [layer.weight, layer.gain, layer.bias, layer.weightGradient].map { $0.map(\.bitPattern) }
}

private func testEmbedding(_ bytes: UnsafeRawBufferPointer) {
  let layer = embedding()
  _ = try! layer.forward([0, 4])
  layer.backward([1, 2, 3, 4, 5, 6])
  let before = snapshot(layer)
  let oracle = EmbeddingOracle(name: "token", vocabularySize: 5, dimension: 3, paddingIndex: 1)
  let verdict = oracle.content(of: Array(bytes))
  do {
    try layer.restore(reading: MemorySource(bytes: bytes))
  } catch {
    guard snapshot(layer) == before else { fatalError("a refused file changed the layer: \(error)") }
    if case .success = verdict { fatalError("refused, though sound: \(error)") }
    return
  }
  if case .failure(let refusal) = verdict { fatalError("accepted, though the oracle says: \(refusal.reason)") }
  _ = try! layer.forward([0, 1, 2, 3, 4])
}
