import LowBitOptimizers

/// What a run depends on beside what a checkpoint holds. A checkpoint of other settings belongs to another run.
struct RunSettings: Equatable {
  /// By name, as text.
  let values: [String: String]

  init(_ entry: OptimizerEntry, text: TrainingText, sizes: CharacterModelSizes, steps: Int, seed: UInt64) {
    values = [
      "optimizer": entry.name, "learning rate": "\(entry.peakRate)", "steps": "\(steps)", "seed": "\(seed)",
      "text": "\(text.count) characters with checksum \(text.checksum)",
      "model": "context \(sizes.context), width \(sizes.width), heads \(sizes.heads), blocks \(sizes.blocks)",
    ]
  }
}

extension TrainingText {
  /// Of everything that a model learns from and is checked with, and of nothing else: a file may be renamed.
  fileprivate var checksum: String {
    var checksum = Checksum()
    var characters = String.UnicodeScalarView()
    characters.append(contentsOf: vocabulary.characters)
    checksum.add(String(characters))
    for symbols in [training, validation] { symbols.withUnsafeBytes { checksum.add($0) } }
    return checksum.text
  }
}
