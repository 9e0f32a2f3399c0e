import ProgramSupport

/// Whether the low-bit runs kept up with their 32-bit partners, in words and as an exit status.
struct Verdict {
  /// A low-bit run may end this much above its partner, or as much as the study allows it, whichever is more; chance alone
  /// moves it by a few tenths of a percent.
  static let margin = 0.02
  static let marginInWords = "2 %"

  /// A low-bit run and the 32-bit run of the same rule.
  struct Pair: Equatable {
    let lowBit: TrainingResult
    let full: TrainingResult

    var ratio: Double { lowBit.finalValidationLoss / full.finalValidationLoss }
    /// The share by which the run may end above its partner.
    var margin: Double { max(Verdict.margin, OptimizerEntry.named(lowBit.optimizer)?.bounds?.metric ?? 0) }
    /// Written so that a loss that is not a number does not keep up.
    var keepsUp: Bool { ratio <= 1 + margin }
  }

  let results: [TrainingResult]
  let pairs: [Pair]

  init(_ results: [TrainingResult]) {
    self.results = results
    pairs = results.compactMap { result in
      guard result.optimizer != result.fullPrecision,
        let full = results.first(where: { $0.optimizer == result.fullPrecision })
      else { return nil }
      return Pair(lowBit: result, full: full)
    }
  }

  var exitCode: Int32 { pairs.allSatisfy(\.keepsUp) ? 0 : 1 }

  /// One sentence for each run that fell behind.
  var complaints: [String] {
    pairs.filter { !$0.keepsUp }.map { pair in
      "\(pair.lowBit.optimizer) ended at a validation loss of \(fixed(pair.lowBit.finalValidationLoss, 4)), more than "
        + "\(fixed(100 * pair.margin, 0)) % above \(pair.full.optimizer)'s \(fixed(pair.full.finalValidationLoss, 4))."
    }
  }

  /// What changed, and by how much.
  var summary: String {
    guard !pairs.isEmpty else {
      guard let best = results.min(by: { $0.finalValidationLoss < $1.finalValidationLoss }) else { return "" }
      return "\(best.optimizer) reached a validation loss of \(fixed(best.finalValidationLoss, 4)) with "
        + "\(fixed(best.stateBytesPerParameter, 2)) bytes of state per parameter."
    }
    let parts = pairs.enumerated().map { index, pair in
      let low = fixed(pair.lowBit.stateBytesPerParameter, 2)
      let full = fixed(pair.full.stateBytesPerParameter, 2)
      let difference = Self.difference(pair.ratio)
      return index == 0
        ? "\(pair.lowBit.optimizer) keeps \(low) bytes of state per parameter instead of \(full), with a validation loss "
          + difference
        : "\(pair.lowBit.optimizer) \(low) instead of \(full), \(difference)"
    }
    return parts.joined(separator: "; ") + "."
  }

  private static func difference(_ ratio: Double) -> String {
    let percent = (ratio - 1) * 100
    guard percent.isFinite else { return "not a number" }
    guard abs(percent) >= 0.005 else { return "unchanged" }
    return "\(fixed(abs(percent), 2)) % \(percent > 0 ? "higher" : "lower")"
  }
}
