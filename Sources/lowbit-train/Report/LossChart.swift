import ProgramSupport

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
    var elements = [SVG.text(plot.left, 30, title, #"font-size="16""#)]
    elements += grid(horizontal, vertical)
    for (index, curve) in curves.enumerated() {
      elements.append(path(curve, index, horizontal, vertical))
      elements += legend(index)
    }
    return SVG.document(width: size.width, height: size.height, elements)
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
      lines.append(SVG.line(plot.left, y, plot.right, y, ##"stroke="#dddddd""##))
      lines.append(SVG.text(plot.left - 8, y + 4, vertical.label(tick), #"text-anchor="end""#))
    }
    for tick in horizontal.ticks {
      let x = x(tick, horizontal)
      lines.append(SVG.line(x, plot.bottom, x, plot.bottom + 5, ##"stroke="#222222""##))
      lines.append(SVG.text(x, plot.bottom + 20, horizontal.label(tick), #"text-anchor="middle""#))
    }
    lines.append(SVG.line(plot.left, plot.top, plot.left, plot.bottom, ##"stroke="#222222""##))
    lines.append(SVG.line(plot.left, plot.bottom, plot.right, plot.bottom, ##"stroke="#222222""##))
    let middle = (x: (plot.left + plot.right) / 2, y: (plot.top + plot.bottom) / 2)
    lines.append(SVG.text(middle.x, size.height - 14, "step", #"text-anchor="middle""#))
    let turned = #"text-anchor="middle" transform="rotate(-90 18 \#(SVG.number(middle.y)))""#
    lines.append(SVG.text(18, middle.y, "training loss", turned))
    return lines
  }

  private func path(
    _ curve: [(step: Double, loss: Double)], _ index: Int, _ horizontal: Axis, _ vertical: Axis
  ) -> String {
    let points = curve.filter { $0.loss.isFinite }.map {
      "\(SVG.number(x($0.step, horizontal))),\(SVG.number(y($0.loss, vertical)))"
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
      SVG.line(x, y, x + 30, y, stroke(index)), SVG.text(x + 38, y + 4, result.optimizer),
      SVG.text(x + 38, y + 20, details, ##"font-size="11" fill="#555""##),
    ]
  }
}
