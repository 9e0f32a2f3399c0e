/// Elements of a drawing that any browser opens.
public enum SVG {
  /// A whole drawing: dark text on white, and `elements` in their order.
  public static func document(width: Double, height: Double, _ elements: [String]) -> String {
    let lines =
      [
        #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \#(Int(width)) \#(Int(height))" "#
          + ##"font-family="sans-serif" font-size="13" fill="#222">"##,
        ##"<rect width="100%" height="100%" fill="#ffffff"/>"##,
      ] + elements + ["</svg>"]
    return lines.joined(separator: "\n") + "\n"
  }

  /// - Parameter attributes: as they stand in the file, such as `text-anchor="end"`.
  public static func text(_ x: Double, _ y: Double, _ content: String, _ attributes: String = "") -> String {
    let attributes = attributes.isEmpty ? "" : " " + attributes
    return #"<text x="\#(number(x))" y="\#(number(y))"\#(attributes)>\#(escaped(content))</text>"#
  }

  /// - Parameter attributes: as they stand in the file; without `stroke` nothing is seen.
  public static func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ attributes: String) -> String {
    #"<line x1="\#(number(x1))" y1="\#(number(y1))" x2="\#(number(x2))" y2="\#(number(y2))" \#(attributes)/>"#
  }

  public static func number(_ value: Double) -> String { fixed(value, 1) }

  /// Safe between tags and inside quoted attributes; characters that XML does not allow are left out.
  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
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
