import ProgramSupport

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

  init() {}

  /// Reads the arguments after the program's name.
  init(_ arguments: [String]) throws(UsageProblem) {
    var arguments = ArgumentList(arguments)
    while let name = arguments.nextName() {
      switch name {
      case "--filter": filter = try arguments.value()
      case "--elements": elements = try Self.count(arguments.value(), name, atMost: 1 << 32)
      case "--threads": threads = try Self.count(arguments.value(), name, atMost: 4096)
      case "--kernels": kernels = try arguments.value()
      case "--rounds": rounds = try Self.count(arguments.value(), name, atMost: 1_000_000)
      case "--sections": sections = try Self.sections(arguments.value())
      case "--json": jsonPath = try arguments.value()
      case "--svg": svgPath = try arguments.value()
      case "--help" where arguments.isFlag, "-h" where arguments.isFlag: help = true
      default: throw arguments.unknownOption
      }
    }
    if svgPath != nil, !sections.contains(.steps) {
      throw UsageProblem("--svg draws the section steps, which is left out")
    }
  }

  /// A plain number, or a power such as 2^26.
  private static func count(_ text: String, _ name: String, atMost limit: Int) throws(UsageProblem) -> Int {
    let parts = text.split(separator: "^", omittingEmptySubsequences: false).map { Int($0) }
    if let base = parts[0], base > 0, parts.count == 1, base <= limit { return base }
    if parts.count == 2, let base = parts[0], let exponent = parts[1], base > 1, (0...62).contains(exponent) {
      let power = (0..<exponent).reduce(1) { power, _ in power > limit ? power : power * base }
      if power <= limit { return power }
    }
    throw UsageProblem("\(name) needs a number from 1 to \(limit), such as 1000 or 2^10, not \(text)")
  }

  private static func sections(_ list: String) throws(UsageProblem) -> [Section] {
    var chosen: Set<Section> = []
    for name in list.split(separator: ",") {
      guard let section = Section(rawValue: String(name)) else {
        throw UsageProblem("no section is named \(name); there are \(Section.names)")
      }
      chosen.insert(section)
    }
    guard !chosen.isEmpty else { throw UsageProblem("--sections needs at least one of \(Section.names)") }
    return Section.allCases.filter(chosen.contains)
  }

  /// The command that does the same measurements again.
  var command: String {
    var words = [program.command]
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
