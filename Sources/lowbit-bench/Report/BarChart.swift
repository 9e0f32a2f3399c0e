import Foundation

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
    let ticks = Self.ticks(to: longest)
    let scale = (plot.right - plot.left) / (ticks[ticks.count - 1])
    var lines = [
      #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \#(number(width)) \#(number(bottom + 56))" "#
        + ##"font-family="sans-serif" font-size="13" fill="#222222">"##,
      ##"<rect width="100%" height="100%" fill="#ffffff"/>"##,
      text(24, 30, title, #"font-size="16""#), text(24, 52, subtitle, ##"font-size="12" fill="#555555""##),
      rectangle(24, 70, 14, 12, Self.colour), text(44, 81, "this optimizer"),
      rectangle(154, 70, 14, 12, Self.partnerColour), text(174, 81, "the same rule with float32 state"),
    ]
    for tick in ticks {
      let x = plot.left + tick * scale
      lines.append(
        #"<line x1="\#(number(x))" y1="\#(number(plot.top - 6))" x2="\#(number(x))" y2="\#(number(bottom))" "#
          + ##"stroke="#dddddd"/>"##)
      lines.append(text(x, bottom + 18, shortest(tick), #"text-anchor="middle""#))
    }
    for (index, row) in rows.enumerated() { lines += bars(row, y: plot.top + rowHeight * Double(index), scale) }
    lines.append(
      text((plot.left + plot.right) / 2, bottom + 42, "nanoseconds per parameter", #"text-anchor="middle""#))
    lines.append("</svg>")
    return lines.joined(separator: "\n") + "\n"
  }

  private func bars(_ row: MeasuredRow, y: Double, _ scale: Double) -> [String] {
    var lines = [text(plot.left - 10, y + 22, row.name, #"text-anchor="end""#)]
    if let partner = row.float32Nanoseconds {
      lines.append(rectangle(plot.left, y + 22, partner * scale, 10, Self.partnerColour))
    }
    lines.append(rectangle(plot.left, y + 6, row.nanosecondsPerParameter * scale, 16, Self.colour))
    let label =
      "\(fixed(row.nanosecondsPerParameter, 3)) ns, \(fixed(row.ratioToFloat32, 2, "x")), "
      + "\(fixed(row.stateBytesPerParameter, 2)) bytes of state"
    lines.append(text(plot.right + 14, y + 22, label, #"font-size="11""#))
    return lines
  }

  /// Round numbers from 0 to the first at or above `value`, at most six steps.
  static func ticks(to value: Double) -> [Double] {
    let rough = max(value, 1e-6) / 6
    let power = pow(10, floor(log10(rough)))
    let step = power * ([1, 2, 5].first { $0 * power >= rough } ?? 10)
    return (0...max(1, Int((value / step).rounded(.up)))).map { Double($0) * step }
  }

  private func rectangle(_ x: Double, _ y: Double, _ width: Double, _ height: Double, _ colour: String) -> String {
    #"<rect x="\#(number(x))" y="\#(number(y))" width="\#(number(width))" height="\#(number(height))" "#
      + #"fill="\#(colour)"/>"#
  }

  private func text(_ x: Double, _ y: Double, _ content: String, _ attributes: String = "") -> String {
    let attributes = attributes.isEmpty ? "" : " " + attributes
    return #"<text x="\#(number(x))" y="\#(number(y))"\#(attributes)>\#(content.escapedForXML)</text>"#
  }

  private func number(_ value: Double) -> String { fixed(value, 1) }

  private func shortest(_ value: Double) -> String { String(format: "%g", value) }
}

extension String {
  /// Safe between tags; characters that XML does not allow are left out.
  var escapedForXML: String {
    var result = ""
    for scalar in unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\t", "\n", "\r": result += " "
      case _ where scalar.value < 0x20 || scalar.value == 0xfffe || scalar.value == 0xffff: continue
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
