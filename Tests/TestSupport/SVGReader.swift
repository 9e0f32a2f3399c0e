import Foundation

#if canImport(FoundationXML)
import FoundationXML
#endif

/// Reads a drawing back with the system's own XML parser.
public final class SVGReader: NSObject, XMLParserDelegate {
  public private(set) var root: String?
  public private(set) var texts: [String] = []
  /// The points of each polyline; NaN for what is not a plain number.
  public private(set) var curves: [[(x: Double, y: Double)]] = []
  /// Of all rectangles; NaN for one that is not a plain number.
  public private(set) var widths: [Double] = []
  public private(set) var problem: String?
  private var text = ""

  public init(_ svg: String) {
    super.init()
    let parser = XMLParser(data: Data(svg.utf8))
    parser.delegate = self
    if !parser.parse() { problem = parser.parserError.map { "\($0)" } ?? "not well-formed" }
  }

  public func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
    attributes: [String: String] = [:]
  ) {
    if root == nil { root = name }
    switch name {
    case "text": text = ""
    case "rect": widths.append(Double(attributes["width"] ?? "") ?? .nan)
    case "polyline": curves.append((attributes["points"] ?? "").split(separator: " ").map(point))
    default: break
    }
  }

  private func point(_ text: Substring) -> (x: Double, y: Double) {
    let parts = text.split(separator: ",").map { Double($0) ?? .nan }
    return parts.count == 2 ? (parts[0], parts[1]) : (.nan, .nan)
  }

  public func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }

  public func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
    if name == "text" { texts.append(text) }
  }
}
