import ProgramSupport

/// One curve of the documentation's figure of what few bits do to a moving average.
struct FigureLine {
  let name: String
  let color: String
  /// Thicker lines have more bits.
  let width: Int
  /// β and the mean that is reached.
  let points: [(Float, Float)]

  private static func x(_ decay: Float) -> Double { 70 + Double(decay - 0.8) / 0.2 * 560 }
  private static func y(_ mean: Float) -> Double { 330 - Double(mean - 0.4) / 0.65 * 260 }

  static func drawing(_ lines: [FigureLine]) -> String {
    var elements = [
      SVG.text(24, 28, "Mean of 1000 moving averages after 100 steps, from 1 towards 0.5", #"font-size="16""#),
      SVG.text(24, 48, "Thin to thick: 2, 3 and 4 bits; black: float32.", ##"font-size="11" fill="#555""##),
    ]
    for tick in stride(from: Float(0.4), through: 1, by: 0.1) {
      elements.append(SVG.line(70, y(tick), 630, y(tick), ##"stroke="#dddddd""##))
      elements.append(SVG.text(60, y(tick) + 4, fixed(Double(tick), 1), #"text-anchor="end" font-size="11""#))
    }
    for tick in stride(from: Float(0.8), through: 1, by: 0.05) {
      elements.append(SVG.text(x(tick), 350, fixed(Double(tick), 2), #"text-anchor="middle" font-size="11""#))
    }
    elements.append(SVG.text(350, 370, "β", #"text-anchor="middle""#))
    for line in lines {
      let path = line.points.map { "\(SVG.number(x($0.0))),\(SVG.number(y($0.1)))" }.joined(separator: " ")
      elements.append(
        #"<polyline points="\#(path)" fill="none" stroke="\#(line.color)" stroke-width="\#(line.width)" opacity="0.8"/>"#
      )
    }
    for (index, line) in lines.filter({ $0.width <= 2 }).enumerated() {
      let top = 90 + 20 * Double(index)
      elements.append(SVG.line(650, top - 4, 675, top - 4, #"stroke="\#(line.color)" stroke-width="2""#))
      elements.append(SVG.text(682, top, line.name))
    }
    return SVG.document(width: 820, height: 385, elements)
  }
}
