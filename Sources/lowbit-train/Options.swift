/// What was asked for on the command line.
struct Options: Equatable {
  var optimizers = OptimizerEntry.all.filter(\.isDefault).map(\.name)
  var steps: Int?
  var seed: UInt64 = 1
  var textPath: String?
  var jsonPath: String?
  var svgPath: String?
  var quick = false
  var help = false

  static let defaultSteps = 600
  static let quickSteps = 100

  /// The number of steps for each optimizer.
  var stepCount: Int { steps ?? (quick ? Self.quickSteps : Self.defaultSteps) }

  struct Problem: Error, Equatable, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
  }

  init() {}

  /// Reads the arguments after the program's name. Both `--steps 100` and `--steps=100` are understood.
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
      case "--optimizers": optimizers = try Self.names(value())
      case "--steps": steps = try Self.count(value(), name)
      case "--seed": seed = try Self.seed(value())
      case "--text": textPath = try value()
      case "--json": jsonPath = try value()
      case "--svg": svgPath = try value()
      case "--quick" where parts.count == 1: quick = true
      case "--help" where parts.count == 1, "-h" where parts.count == 1: help = true
      default: throw Problem("unknown option \(argument)")
      }
    }
  }

  private static func names(_ list: String) throws(Problem) -> [String] {
    var names: [String] = []
    for name in list.split(separator: ",") {
      guard let entry = OptimizerEntry.named(String(name)) else {
        let known = OptimizerEntry.all.map(\.name).joined(separator: ", ")
        throw Problem("no optimizer is named \(name); there are \(known)")
      }
      if !names.contains(entry.name) { names.append(entry.name) }
    }
    guard !names.isEmpty else { throw Problem("--optimizers needs at least one name") }
    return names
  }

  private static func count(_ text: String, _ name: String) throws(Problem) -> Int {
    guard let count = Int(text), count > 0 else { throw Problem("\(name) needs a number above 0, not \(text)") }
    return count
  }

  private static func seed(_ text: String) throws(Problem) -> UInt64 {
    guard let seed = UInt64(text) else { throw Problem("--seed needs a whole number, 0 or more, not \(text)") }
    return seed
  }

  /// The command that does the same run again.
  var command: String {
    var words = ["swift run -c release lowbit-train"]
    if optimizers != Options().optimizers { words.append("--optimizers \(optimizers.joined(separator: ","))") }
    if quick { words.append("--quick") }
    if let steps { words.append("--steps \(steps)") }
    if let textPath { words.append("--text \(textPath.shellQuoted)") }
    words.append("--seed \(seed)")
    return words.joined(separator: " ")
  }

  static let usage = """
    Trains a small character model on real text, once with each optimizer, from the same start and in the same order,
    and compares what they reach and how much memory their state takes.

    usage: lowbit-train [options]

      --optimizers LIST   names with commas between them (default: \(Options().optimizers.joined(separator: ",")))
                          known: \(OptimizerEntry.all.map(\.name).joined(separator: ", "))
      --steps N           steps for each optimizer (default: \(defaultSteps))
      --seed S            start values and order of the data (default: 1)
      --text FILE         text to learn from, UTF-8 (default: this package's own sources)
      --json FILE         write the results for scripts
      --svg FILE          draw the loss curves
      --quick             \(quickSteps) steps: seconds instead of a minute
      --help              this text

    Exit status: 0; 1 if a low-bit optimizer ended more than \(Verdict.marginInWords) above its 32-bit partner;
    2 for a wrong option or a file that cannot be read or written.
    """
}

extension String {
  /// Fit to be pasted into a shell.
  fileprivate var shellQuoted: String {
    let plain = unicodeScalars.allSatisfy {
      $0.isASCII && ($0.properties.isAlphabetic || "0123456789/._-+".unicodeScalars.contains($0))
    }
    return plain ? self : "'\(split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''"))'"
  }
}
