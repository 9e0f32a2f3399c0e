import Foundation

@testable import LowBitOptimizers

// libFuzzer calls this with inputs that it makes from those that reached new code.
//
// The first byte chooses the optimizer and what is done; the rest is the file.

nonisolated(unsafe) private let optimizers: [(LowBitOptimizer, CheckpointOracle)] = [
  (Adam8bit(blockSize: 64), CheckpointOracle(rule: "adam", formats: ["dynamic8", "dynamic8Unsigned"])),
  (AdamW32(), CheckpointOracle(rule: "adamw", formats: ["float32", "float32"])),
  (Momentum8bit(blockSize: 100), CheckpointOracle(rule: "momentum", formats: ["dynamic8"])),
]

private func prepare(_ optimizer: LowBitOptimizer) {
  optimizer.reset()
  optimizer.sizeRule = SizeRule(minimumCount: 20)
  for (name, count) in [("a", 150), ("b", 5)] {
    var parameter = [Float](repeating: 1, count: count)
    optimizer.update(ParameterKey(name), &parameter, along: (0..<count).map { Float($0) - 20 })
  }
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
  for (optimizer, _) in optimizers { prepare(optimizer) }
  if let folder = ProcessInfo.processInfo.environment["FUZZ_CORPUS"] { writeCorpus(URL(fileURLWithPath: folder)) }
  return 0
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
    write(UInt8(index), try! Data(contentsOf: path))
    let states = optimizer.states.values.sorted { $0.key < $1.key }
    var metadata = CheckpointManifest(of: optimizer, entries: states.map { CheckpointManifest.Entry(of: $0) }).metadata
    metadata["checksum"] = nil
    let tensors = states.flatMap { state in state.regions.map { $0.tensor(state.key) } }
    try! SafetensorsWriter.save(tensors, metadata: metadata, to: path.path)
    for converting in 0..<2 { write(UInt8(index + 3 * converting), try! Data(contentsOf: path)) }
    for layout in ForeignLayout.allCases where (try? optimizer.exportState(to: path, as: layout)) != nil {
      for converting in 0..<2 { write(UInt8(6 + index + 3 * converting), try! Data(contentsOf: path)) }
    }
  }
  // In bitsandbytes' own block size.
  for blockSize in [256, 2048] {
    let optimizer = Adam8bit(blockSize: blockSize)
    prepare(optimizer)
    for layout in ForeignLayout.allCases where (try? optimizer.exportState(to: path, as: layout)) != nil {
      for converting in 0..<2 { write(UInt8(6 + 3 * converting), try! Data(contentsOf: path)) }
    }
  }
  try! FileManager.default.removeItem(at: path)
}

@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  guard count > 0 else { return 0 }
  let choice = Int(start[0])
  var (optimizer, oracle) = optimizers[choice % 3]
  oracle.converting = choice / 3 % 2 == 1
  let imports = choice / 6 % 2 == 1
  let bytes = UnsafeRawBufferPointer(start: start + 1, count: count - 1)
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
