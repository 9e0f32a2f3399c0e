import Foundation
import ProgramSupport

/// How far each low-bit run ended from the 32-bit run of the same seed: a dot a run, a panel a task.
struct StudyChart {
  let summary: StudySummary

  private let width = 900.0
  private let plot = (left: 150.0, right: 760.0)
  private let rowHeight = 20.0
  private let panelMargin = (above: 40.0, below: 40.0)

  func svg() -> String {
    var elements = [
      SVG.text(24, 30, "Worse than 32 bits at the end of training, in percent", #"font-size="16""#),
      SVG.text(
        24, 50, "A dot is a run against the 32-bit run of its seed, a bar the mean of all seeds, a red line the bound.",
        ##"font-size="11" fill="#555""##),
    ]
    var top = 60.0
    for task in summary.tasks {
      let rows = summary.rows(of: task).filter { $0.partner != nil }
      if rows.isEmpty { continue }
      elements += panel(task, rows, top: top)
      top += panelMargin.above + Double(rows.count) * rowHeight + panelMargin.below
    }
    return SVG.document(width: width, height: top + 10, elements)
  }

  private func panel(_ task: StudyTask, _ rows: [StudyRow], top: Double) -> [String] {
    let first = top + panelMargin.above
    let bottom = first + Double(rows.count) * rowHeight
    // Up to the largest bound that matters here, and to every run that did not diverge.
    let seen = rows.flatMap(\.excesses).filter { abs($0) < 0.5 }
    let axis = Axis((seen + [0] + rows.compactMap { $0.optimizer.bounds?.metric }).map { 100 * $0 })
    func x(_ share: Double) -> Double { plot.left + axis.share(100 * share) * (plot.right - plot.left) }

    var elements = [SVG.text(24, first - 16, "\(task.title), \(task.metric.title)", #"font-weight="bold""#)]
    for tick in axis.ticks {
      let place = x(tick / 100)
      elements.append(SVG.line(place, first - 6, place, bottom, ##"stroke="\##(tick == 0 ? "#222222" : "#dddddd")""##))
      elements.append(SVG.text(place, bottom + 16, axis.label(tick), #"text-anchor="middle" font-size="11""#))
    }
    for (index, row) in rows.enumerated() {
      let y = first + (Double(index) + 0.5) * rowHeight
      elements.append(SVG.text(plot.left - 14, y + 4, row.optimizer.name, #"text-anchor="end""#))
      if let bound = row.optimizer.bounds?.metric {
        elements.append(SVG.line(x(bound), y - 8, x(bound), y + 8, ##"stroke="#d62728" stroke-width="2""##))
      }
      for excess in row.excesses where abs(excess) < 0.5 {
        elements.append(
          ##"<circle cx="\##(SVG.number(x(excess)))" cy="\##(SVG.number(y))" r="4" fill="#0072b2" fill-opacity="0.5"/>"##
        )
      }
      if let mean = row.excess, abs(mean) < 0.5 {
        elements.append(SVG.line(x(mean), y - 8, x(mean), y + 8, ##"stroke="#0072b2" stroke-width="3""##))
      }
      elements.append(SVG.text(plot.right + 14, y + 4, note(row), #"font-size="11""#))
    }
    return elements
  }

  private func note(_ row: StudyRow) -> String {
    if row.divergedCount > 0 { return "\(row.divergedCount) of \(row.outcomes.count) diverged" }
    guard let excess = row.excess else { return "" }
    let size = "\(fixed(abs(excess) * 100, 2)) %"
    return size == "0.00 %" ? size : (excess > 0 ? "+" : "−") + size
  }
}
