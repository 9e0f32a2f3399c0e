import Foundation

/// The loss curves as a drawing that any browser opens.
struct LossChart {
  let title: String
  let results: [TrainingResult]

  private let size = (width: 900.0, height: 480.0)
  private let plot = (left: 64.0, top: 56.0, right: 616.0, bottom: 424.0)

  /// Okabe and Ito's colours, which stay apart for colour-blind readers (without their yellow, too pale on white).
  private static let colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000"]

  func svg() -> String {
    let curves = results.map { smooth($0.losses) }
    let vertical = Axis(curves.flatMap { $0.map(\.loss) }.filter(\.isFinite))
    let horizontal = Axis([0, Double(results.map(\.steps).max() ?? 1)])
    var lines = [
      #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \#(Int(size.width)) \#(Int(size.height))" "#
        + ##"font-family="sans-serif" font-size="13" fill="#222">"##,
      ##"<rect width="100%" height="100%" fill="#ffffff"/>"##,
      text(plot.left, 30, title, #"font-size="16""#),
    ]
    lines += grid(horizontal, vertical)
    for (index, curve) in curves.enumerated() {
      lines.append(path(curve, index, horizontal, vertical))
      lines += legend(index)
    }
    lines.append("</svg>")
    return lines.joined(separator: "\n") + "\n"
  }

  /// About 60 points a curve, each the mean of its share of the steps: single steps are mostly noise.
  private func smooth(_ losses: [Double]) -> [(step: Double, loss: Double)] {
    let means = averages(losses, columns: 60)
    let share = Double(losses.count) / Double(max(1, means.count))
    return means.enumerated().map { ((Double($0) + 0.5) * share, $1) }
  }

  private func x(_ value: Double, _ axis: Axis) -> Double { plot.left + axis.share(value) * (plot.right - plot.left) }

  private func y(_ value: Double, _ axis: Axis) -> Double { plot.bottom - axis.share(value) * (plot.bottom - plot.top) }

  private func grid(_ horizontal: Axis, _ vertical: Axis) -> [String] {
    var lines: [String] = []
    for tick in vertical.ticks {
      let y = y(tick, vertical)
      lines.append(line(plot.left, y, plot.right, y, "#dddddd"))
      lines.append(text(plot.left - 8, y + 4, vertical.label(tick), #"text-anchor="end""#))
    }
    for tick in horizontal.ticks {
      let x = x(tick, horizontal)
      lines.append(line(x, plot.bottom, x, plot.bottom + 5, "#222222"))
      lines.append(text(x, plot.bottom + 20, horizontal.label(tick), #"text-anchor="middle""#))
    }
    lines.append(line(plot.left, plot.top, plot.left, plot.bottom, "#222222"))
    lines.append(line(plot.left, plot.bottom, plot.right, plot.bottom, "#222222"))
    let middle = (x: (plot.left + plot.right) / 2, y: (plot.top + plot.bottom) / 2)
    lines.append(text(middle.x, size.height - 14, "step", #"text-anchor="middle""#))
    lines.append(
      text(18, middle.y, "training loss", #"text-anchor="middle" transform="rotate(-90 18 \#(number(middle.y)))""#))
    return lines
  }

  private func path(
    _ curve: [(step: Double, loss: Double)], _ index: Int, _ horizontal: Axis, _ vertical: Axis
  ) -> String {
    let points = curve.filter { $0.loss.isFinite }.map {
      "\(number(x($0.step, horizontal))),\(number(y($0.loss, vertical)))"
    }
    return #"<polyline points="\#(points.joined(separator: " "))" fill="none" \#(curveStroke(index))/>"#
  }

  /// Curves of one family nearly cover each other: the 32-bit one is wide and pale, the others are thin and dashed.
  private func stroke(_ index: Int, dashes: String = "7 4") -> String {
    let colour = Self.colours[index % Self.colours.count]
    return isFull(results[index])
      ? #"stroke="\#(colour)" stroke-width="5" stroke-opacity="0.4""#
      : #"stroke="\#(colour)" stroke-width="2" stroke-dasharray="\#(dashes)""#
  }

  /// Each dashed curve draws where the others leave gaps, so that all of them show even where they are equal.
  private func curveStroke(_ index: Int) -> String {
    let dashed = results.indices.filter { !isFull(results[$0]) }
    guard let turn = dashed.firstIndex(of: index), dashed.count > 1 else { return stroke(index) }
    return stroke(index, dashes: "8 \(8 * (dashed.count - 1))") + #" stroke-dashoffset="\#(-8 * turn)""#
  }

  private func isFull(_ result: TrainingResult) -> Bool { result.optimizer == result.fullPrecision }

  private func legend(_ index: Int) -> [String] {
    let (x, y) = (plot.right + 20, plot.top + 12 + Double(index) * 42)
    let result = results[index]
    let details =
      "validation \(fixed(result.finalValidationLoss, 3)), "
      + "\(fixed(result.stateBytesPerParameter, 2)) bytes/param"
    return [
      #"<line x1="\#(number(x))" y1="\#(number(y))" x2="\#(number(x + 30))" y2="\#(number(y))" \#(stroke(index))/>"#,
      text(x + 38, y + 4, result.optimizer), text(x + 38, y + 20, details, ##"font-size="11" fill="#555""##),
    ]
  }

  private func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ colour: String) -> String {
    #"<line x1="\#(number(x1))" y1="\#(number(y1))" x2="\#(number(x2))" y2="\#(number(y2))" stroke="\#(colour)"/>"#
  }

  private func text(_ x: Double, _ y: Double, _ content: String, _ attributes: String = "") -> String {
    let attributes = attributes.isEmpty ? "" : " " + attributes
    return #"<text x="\#(number(x))" y="\#(number(y))"\#(attributes)>\#(content.escapedForXML)</text>"#
  }

  private func number(_ value: Double) -> String { fixed(value, 1) }
}

/// A scale with round numbers on it.
struct Axis {
  let low: Double
  let high: Double
  let ticks: [Double]
  private let step: Double

  /// Spans `values`, widened to whole steps of 1, 2 or 5 times a power of ten.
  init(_ values: [Double]) {
    let least = values.min() ?? 0
    let most = max(values.max() ?? 1, least + 1e-3)
    let rough = (most - least) / 6
    let power = pow(10, floor(log10(rough)))
    let step = power * ([1, 2, 5].first { $0 * power >= rough } ?? 10)
    let first = Int(floor(least / step))
    let last = Int(ceil(most / step))
    self.step = step
    ticks = (first...last).map { Double($0) * step }
    low = ticks[0]
    high = ticks[ticks.count - 1]
  }

  /// Where `value` lies between the ends, from 0 to 1.
  func share(_ value: Double) -> Double { (value - low) / (high - low) }

  func label(_ tick: Double) -> String { fixed(tick, max(0, -Int(floor(log10(step) + 1e-9)))) }
}

extension String {
  /// Safe between tags and inside quoted attributes; characters that XML does not allow are left out.
  var escapedForXML: String {
    var result = ""
    for scalar in unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&apos;"
      case "\t", "\n", "\r": result += " "
      case _ where scalar.value < 0x20 || scalar.value == 0xfffe || scalar.value == 0xffff: continue
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
