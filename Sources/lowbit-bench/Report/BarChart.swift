import Foundation
import ProgramSupport

/// The time of each optimizer beside its float32 partner's, as a drawing that any browser opens.
struct BarChart {
  let title: String
  let subtitle: String
  let rows: [MeasuredRow]

  private let width = 860.0
  private let rowHeight = 44.0
  private let plot = (left: 150.0, top: 112.0, right: 640.0)
  private var bottom: Double { plot.top + rowHeight * Double(rows.count) }

  /// Dark blue and grey: apart in print and for colour-blind readers.
  private static let colour = "#0072b2"
  private static let partnerColour = "#bbbbbb"

  func svg() -> String {
    let longest = rows.flatMap { [$0.nanosecondsPerParameter, $0.float32Nanoseconds ?? 0] }.max() ?? 1
    let axis = Axis([0, longest])
    let scale = (plot.right - plot.left) / axis.high
    var elements = [
      SVG.text(24, 30, title, #"font-size="16""#), SVG.text(24, 52, subtitle, ##"font-size="12" fill="#555555""##),
      rectangle(24, 70, 14, 12, Self.colour), SVG.text(44, 81, "this optimizer"),
      rectangle(154, 70, 14, 12, Self.partnerColour), SVG.text(174, 81, "the same rule with float32 state"),
    ]
    for tick in axis.ticks {
      let x = plot.left + tick * scale
      elements.append(SVG.line(x, plot.top - 6, x, bottom, ##"stroke="#dddddd""##))
      elements.append(SVG.text(x, bottom + 18, shortest(tick), #"text-anchor="middle""#))
    }
    for (index, row) in rows.enumerated() { elements += bars(row, y: plot.top + rowHeight * Double(index), scale) }
    elements.append(
      SVG.text((plot.left + plot.right) / 2, bottom + 42, "nanoseconds per parameter", #"text-anchor="middle""#))
    return SVG.document(width: width, height: bottom + 56, elements)
  }

  private func bars(_ row: MeasuredRow, y: Double, _ scale: Double) -> [String] {
    var lines = [SVG.text(plot.left - 10, y + 22, row.name, #"text-anchor="end""#)]
    if let partner = row.float32Nanoseconds {
      lines.append(rectangle(plot.left, y + 22, partner * scale, 10, Self.partnerColour))
    }
    lines.append(rectangle(plot.left, y + 6, row.nanosecondsPerParameter * scale, 16, Self.colour))
    let label =
      "\(fixed(row.nanosecondsPerParameter, 3)) ns, \(fixed(row.ratioToFloat32, 2, "x")), "
      + "\(fixed(row.stateBytesPerParameter, 2)) bytes of state"
    lines.append(SVG.text(plot.right + 14, y + 22, label, #"font-size="11""#))
    return lines
  }

  private func rectangle(_ x: Double, _ y: Double, _ width: Double, _ height: Double, _ colour: String) -> String {
    #"<rect x="\#(SVG.number(x))" y="\#(SVG.number(y))" width="\#(SVG.number(width))" height="\#(SVG.number(height))" "#
      + #"fill="\#(colour)"/>"#
  }

  private func shortest(_ value: Double) -> String { String(format: "%g", value) }
}
