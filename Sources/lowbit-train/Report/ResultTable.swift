import ProgramSupport

/// The comparison as text, one row an optimizer.
struct ResultTable {
  let results: [TrainingResult]
  let unicode: Bool

  /// Two lines, so that a row fits a terminal of 80 columns.
  static let headings = [
    ["", "valid.", "vs", "train.", "bytes", "state", "seconds", "training"],
    ["optimizer", "loss", "32-bit", "loss", "per param", "bytes", "per step", "loss curve"],
  ]

  func lines() -> [String] { TextTable(headings: Self.headings, rows: cells(), lastIsText: true).lines() }

  private func cells() -> [[String]] {
    let range = commonRange(results.map(\.losses))
    let sparkline = Sparkline(unicode: unicode)
    return results.map { result in
      let partner = results.first { $0.optimizer == result.fullPrecision }
      return [
        result.optimizer, fixed(result.finalValidationLoss, 4),
        partner.map { fixed(result.finalValidationLoss / $0.finalValidationLoss, 4) + "x" } ?? "-",
        fixed(result.finalTrainingLoss, 4), fixed(result.stateBytesPerParameter, 2), "\(result.stateBytes)",
        fixed(result.secondsPerStep, 4), sparkline.draw(result.losses, range: range),
      ]
    }
  }
}
