/// What was asked for on the command line.
struct Options: Equatable {
  var filter: String?
  var elements = Self.defaultElements
  var threads: Int?
  var kernels: String?
  var rounds = Self.defaultRounds
  var sections = Section.allCases
  var jsonPath: String?
  var svgPath: String?
  var help = false

  static let defaultElements = 1 << 24
  static let defaultRounds = 15
  /// The exit status for a wrong command line, as sysexits.h has it.
  static let usageStatus: Int32 = 64

  struct Problem: Error, Equatable, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
  }

  init() {}

  /// Reads the arguments after the program's name. Both `--rounds 9` and `--rounds=9` are understood.
  init(_ arguments: [String]) throws(Problem) {
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let name = parts[0]
      func value() throws(Problem) -> String {
        let value = parts.count == 2 ? parts[1] : rest.popFirst()
        guard let value, !value.isEmpty else { throw Problem("\(name) needs a value") }
        return value
      }
      switch name {
      case "--filter": filter = try value()
      case "--elements": elements = try Self.count(value(), name, atMost: 1 << 32)
      case "--threads": threads = try Self.count(value(), name, atMost: 4096)
      case "--kernels": kernels = try value()
      case "--rounds": rounds = try Self.count(value(), name, atMost: 1_000_000)
      case "--sections": sections = try Self.sections(value())
      case "--json": jsonPath = try value()
      case "--svg": svgPath = try value()
      case "--help" where parts.count == 1, "-h" where parts.count == 1: help = true
      default: throw Problem("unknown option \(argument)")
      }
    }
    if svgPath != nil, !sections.contains(.steps) { throw Problem("--svg draws the section steps, which is left out") }
  }

  /// A plain number, or a power such as 2^26.
  private static func count(_ text: String, _ name: String, atMost limit: Int) throws(Problem) -> Int {
    let parts = text.split(separator: "^", omittingEmptySubsequences: false).map { Int($0) }
    if let base = parts[0], base > 0, parts.count == 1, base <= limit { return base }
    if parts.count == 2, let base = parts[0], let exponent = parts[1], base > 1, (0...62).contains(exponent) {
      let power = (0..<exponent).reduce(1) { power, _ in power > limit ? power : power * base }
      if power <= limit { return power }
    }
    throw Problem("\(name) needs a number from 1 to \(limit), such as 1000 or 2^10, not \(text)")
  }

  private static func sections(_ list: String) throws(Problem) -> [Section] {
    var chosen: Set<Section> = []
    for name in list.split(separator: ",") {
      guard let section = Section(rawValue: String(name)) else {
        throw Problem("no section is named \(name); there are \(Section.names)")
      }
      chosen.insert(section)
    }
    guard !chosen.isEmpty else { throw Problem("--sections needs at least one of \(Section.names)") }
    return Section.allCases.filter(chosen.contains)
  }

  /// The command that does the same measurements again.
  var command: String {
    var words = ["swift run -c release lowbit-bench"]
    if let filter { words.append("--filter \(filter.shellQuoted)") }
    if elements != Self.defaultElements { words.append("--elements \(power(elements))") }
    if let threads { words.append("--threads \(threads)") }
    if let kernels { words.append("--kernels \(kernels)") }
    if rounds != Self.defaultRounds { words.append("--rounds \(rounds)") }
    if sections != Section.allCases {
      words.append("--sections " + sections.map(\.rawValue).joined(separator: ","))
    }
    return words.joined(separator: " ")
  }
}

extension String {
  /// Fit to be pasted into a shell.
  fileprivate var shellQuoted: String {
    let plain = unicodeScalars.allSatisfy { $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0)) }
    return plain ? self : "'\(split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''"))'"
  }
}
