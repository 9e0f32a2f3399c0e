import Foundation
import LowBitOptimizers

/// The folder in which one run is kept, so that it can be continued.
///
/// `optimizer-200.safetensors` holds the optimizer after 200 steps, `run.safetensors` everything else: parameters, losses
/// and the position in the data. The optimizer is written first, under a name that no whole checkpoint has, and
/// `run.safetensors` then replaced in one go. A program that is killed at any moment, between the two files too, leaves a
/// pair of one step.
final class RunFolder {
  private let path: String
  private let settings: RunSettings
  private let descriptor: CInt
  private var savedStep: Int?

  /// Creates the folder where there is none, keeps other programs out of it, and looks whether it is of this run.
  init(_ path: String, _ settings: RunSettings) throws {
    self.path = path
    self.settings = settings
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw RunFolderProblem.noFolder(path)
    }
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw RunFolderProblem.noFolder(path) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw RunFolderProblem.inUse(path)
    }
    _ = try openedFile()
  }

  deinit { close(descriptor) }

  /// Puts the run where the folder's checkpoint is. After an error the run is as it was.
  ///
  /// - Returns: false if there is no checkpoint.
  func restore(_ run: TrainingRun) throws -> Bool {
    guard var file = try openedFile() else { return false }
    guard let progress = try? JSONDecoder().decode(Progress.self, from: Data(file.field("progress").utf8)),
      (1...run.schedule.steps).contains(progress.step)
    else { throw RunFolderProblem.damaged(runFile) }
    let parameters = run.task.parameters.parameters
    let values = try parameters.map { try file.tensor($0.name, count: $0.value.count, of: Float.self) }
    let losses = try file.tensor(Self.losses, count: progress.step, of: Double.self)
    let checksum = try file.field("optimizer_checksum")
    try file.checkAllTaken()
    let optimizerFile = optimizerFile(progress.step)
    guard try Self.checksum(optimizerFile) == checksum else { throw RunFolderProblem.damaged(optimizerFile) }
    let counts = parameters.map { (ParameterKey($0.name), $0.value.count) }
    try run.optimizer.restore(from: optimizerFile, expecting: Dictionary(uniqueKeysWithValues: counts))
    // Nothing throws from here on.
    for (parameter, values) in zip(parameters, values) { _ = parameter.value.update(fromContentsOf: values) }
    run.resume(at: progress.step, progress.position, losses: losses, seconds: progress.seconds)
    savedStep = progress.step
    return true
  }

  /// Saves the run as it is now; a step that is saved already is not saved again.
  func save(_ run: TrainingRun) throws {
    guard run.step != savedStep else { return }
    let optimizerFile = optimizerFile(run.step)
    try run.optimizer.save(to: optimizerFile)
    try saveRunFile(run, optimizerChecksum: try Self.checksum(optimizerFile))
    savedStep = run.step
    removeOtherOptimizers()
  }

  // MARK: - Files

  private static let format = FileFormat(
    "lowbit-train run", version: 1, hint: "the file does not hold a run of lowbit-train")
  /// No parameter has such a name.
  private static let losses = "run/losses"

  private struct Progress: Codable {
    var step: Int
    var position: DataPosition
    var seconds: Double
  }

  private var runFile: String { "\(path)/run.safetensors" }

  private func optimizerFile(_ step: Int) -> String { "\(path)/optimizer-\(step).safetensors" }

  /// The run's file after its settings; nil if there is none yet.
  private func openedFile() throws -> SealedFile? {
    guard FileManager.default.fileExists(atPath: runFile) else { return nil }
    var file = try SealedFile(runFile, Self.format)
    for (name, expected) in settings.values.sorted(by: { $0.key < $1.key }) {
      let found = try file.field("setting/\(name)")
      guard found == expected else {
        throw RunFolderProblem.anotherRun(path, setting: name, found: found, expected: expected)
      }
    }
    return file
  }

  private func saveRunFile(_ run: TrainingRun, optimizerChecksum: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let progress = try encoder.encode(Progress(step: run.step, position: run.position, seconds: run.seconds))
    var fields = ["progress": String(decoding: progress, as: UTF8.self), "optimizer_checksum": optimizerChecksum]
    for (name, value) in settings.values { fields["setting/\(name)"] = value }
    try run.losses.withUnsafeBufferPointer { losses in
      let tensors = run.task.parameters.parameters.map {
        SafetensorsTensor($0.name, shape: $0.shape, UnsafeBufferPointer($0.value))
      }
      let all = tensors + [SafetensorsTensor(Self.losses, shape: [losses.count], losses)]
      try SealedFile.save(all, fields, Self.format, to: runFile)
    }
  }

  /// The checksum that an optimizer's file has of itself, which covers its state.
  private static func checksum(_ optimizerFile: String) throws -> String {
    guard let checksum = try SafetensorsReader(path: optimizerFile).header.metadata["checksum"] else {
      throw RunFolderProblem.damaged(optimizerFile)
    }
    return checksum
  }

  /// Those of earlier steps, and those that a killed program did not come to name or to end.
  private func removeOtherOptimizers() {
    let kept = savedStep.map(optimizerFile)
    for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] {
      let isOptimizer = name.hasPrefix("optimizer-") && name.hasSuffix(".safetensors")
      let isUnfinished = name.hasPrefix(".optimizer-") && name.hasSuffix(".saving")
      if isOptimizer || isUnfinished, "\(path)/\(name)" != kept { unlink("\(path)/\(name)") }
    }
  }
}

/// Why a run cannot be kept in a folder or continued from it.
enum RunFolderProblem: Error, Equatable, CustomStringConvertible {
  case noFolder(String)
  case inUse(String)
  case anotherRun(String, setting: String, found: String, expected: String)
  case damaged(String)

  var description: String {
    switch self {
    case .noFolder(let path): "\(path) is no folder and cannot be made one."
    case .inUse(let path): "\(path) is in use by another run."
    case .anotherRun(let path, let setting, let found, let expected):
      "\(path) holds the checkpoint of another run: \(setting) \(found) instead of \(expected). Repeat the command that it "
        + "was made with, or name another folder."
    case .damaged(let path): "\(path) does not belong to its checkpoint, or is damaged."
    }
  }
}

extension Options {
  var stepsPerSave: Int { saveEvery ?? Self.defaultSaveEvery }

  /// Where a run is kept: each optimizer has a folder of its own. Nil without `--checkpoint`.
  func runFolder(_ optimizer: String, _ text: TrainingText, _ sizes: CharacterModelSizes) throws -> RunFolder? {
    guard let checkpointPath, let entry = OptimizerEntry.named(optimizer) else { return nil }
    return try RunFolder(
      "\(checkpointPath)/\(entry.name)",
      RunSettings(entry, text: text, sizes: sizes, steps: stepCount, seed: seed))
  }
}
