import Foundation
import ProgramSupport

/// What all runs of one format and embedding came to.
struct AblationRow {
  let format: AblationFormat
  let embedding: TokenEmbedding
  let runs: [AblationPlan.Run]
  let outcomes: [RunOutcome]

  var unstableShare: Double { Double(outcomes.count(where: \.isDiverged)) / Double(outcomes.count) }
  /// The median over all runs, so that a few that diverged do not hide the rest.
  var medianLoss: Double {
    let sorted = outcomes.map(\.validationLoss).sorted()
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
  }
  var bestLoss: Double { outcomes.map(\.validationLoss).min()! }
  var largestLoss: Double { outcomes.map(\.largestLoss).max()! }
}

/// The ablation as text, as JSON and as a drawing.
struct AblationReport {
  let rows: [AblationRow]

  /// - Parameter outcomes: one for each of the plan's runs.
  init(_ plan: AblationPlan, _ outcomes: [RunOutcome]) {
    let finished = Array(zip(plan.runs, outcomes))
    rows = AblationFormat.allCases.flatMap { format in
      [TokenEmbedding.plain, .stable].map { embedding in
        let own = finished.filter { $0.0.format == format && $0.0.embedding == embedding }
        return AblationRow(format: format, embedding: embedding, runs: own.map(\.0), outcomes: own.map(\.1))
      }
    }
  }

  static let headings = [
    ["", "", "unstable", "median", "best", "largest"], ["moments", "embedding", "runs", "loss", "loss", "loss"],
  ]

  func lines() -> [String] {
    let table = TextTable(
      headings: Self.headings,
      rows: rows.map { row in
        [
          row.format.title, row.embedding.rawValue, "\(fixed(100 * row.unstableShare, 0)) %",
          shortLoss(row.medianLoss, 4),
          shortLoss(row.bestLoss, 4), shortLoss(row.largestLoss, 3),
        ]
      })
    return ["Ablation on 20,000 words: validation loss over \(rows[0].runs.count) runs each"] + table.lines() + [""]
  }

  // MARK: - JSON

  private struct Row: Encodable {
    let moments: String
    let embedding: String
    let beta2: Float
    let epsilon: Float
    let seed: UInt64
    let validationLoss: Double
    let largestLoss: Double
    let isUnstable: Bool
    let stateBytes: Int
  }

  /// An array with one object for each run.
  func json() throws -> Data {
    try resultJSON(
      rows.flatMap { row in
        zip(row.runs, row.outcomes).map { run, outcome in
          Row(
            moments: row.format.rawValue, embedding: row.embedding.rawValue, beta2: run.setting.beta2,
            epsilon: run.setting.epsilon, seed: run.seed, validationLoss: outcome.validationLoss,
            largestLoss: outcome.largestLoss, isUnstable: outcome.isDiverged, stateBytes: outcome.stateBytes)
        }
      })
  }

  // MARK: - SVG

  /// A bar a row: the share of unstable runs, with the median loss beside it.
  func svg() -> String {
    let (left, right, top) = (390.0, 760.0, 84.0)
    var elements = [
      SVG.text(24, 30, "Unstable runs on 20,000 words, in percent", #"font-size="16""#),
      SVG.text(
        24, 50, "Adam over a grid of β2 and ε; beside each bar the median validation loss.",
        ##"font-size="11" fill="#555""##),
    ]
    let bottom = top + Double(rows.count) * 26
    for tick in stride(from: 0.0, through: 100, by: 20) {
      let x = left + tick / 100 * (right - left)
      elements.append(SVG.line(x, top - 8, x, bottom, ##"stroke="#dddddd""##))
      elements.append(SVG.text(x, bottom + 16, fixed(tick, 0), #"text-anchor="middle" font-size="11""#))
    }
    for (index, row) in rows.enumerated() {
      let y = top + Double(index) * 26
      let length = row.unstableShare * (right - left)
      elements.append(SVG.text(24, y + 12, row.format.title))
      elements.append(SVG.text(left - 14, y + 12, row.embedding.rawValue, #"text-anchor="end""#))
      elements.append(
        #"<rect x="\#(SVG.number(left))" y="\#(SVG.number(y))" width="\#(SVG.number(length))" height="16" "#
          + #"fill="\#(row.embedding == .plain ? "#d55e00" : "#0072b2")"/>"#)
      elements.append(SVG.text(right + 14, y + 12, shortLoss(row.medianLoss, 3), #"font-size="11""#))
    }
    return SVG.document(width: 900, height: bottom + 40, elements)
  }
}
