import ProgramSupport

/// What was asked for on the command line.
struct Options: Equatable {
  var optimizers = OptimizerEntry.all.filter(\.isDefault).map(\.name)
  var steps: Int?
  var seed: UInt64 = 1
  var textPath: String?
  var jsonPath: String?
  var svgPath: String?
  var checkpointPath: String?
  var saveEvery: Int?
  var quick = false
  var help = false

  static let defaultSteps = 600
  static let quickSteps = 100
  static let defaultSaveEvery = 100

  /// The number of steps for each optimizer.
  var stepCount: Int { steps ?? (quick ? Self.quickSteps : Self.defaultSteps) }

  init() {}

  /// Reads the arguments after the program's name.
  init(_ arguments: [String]) throws(UsageProblem) {
    var arguments = ArgumentList(arguments)
    while let name = arguments.nextName() {
      switch name {
      case "--optimizers": optimizers = try Self.names(arguments.value())
      case "--steps": steps = try Self.count(arguments.value(), name)
      case "--seed": seed = try Self.seed(arguments.value())
      case "--text": textPath = try arguments.value()
      case "--json": jsonPath = try arguments.value()
      case "--svg": svgPath = try arguments.value()
      case "--checkpoint": checkpointPath = try arguments.value()
      case "--save-every": saveEvery = try Self.count(arguments.value(), name)
      case "--quick" where arguments.isFlag: quick = true
      case "--help" where arguments.isFlag, "-h" where arguments.isFlag: help = true
      default: throw arguments.unknownOption
      }
    }
    if saveEvery != nil && checkpointPath == nil { throw UsageProblem("--save-every needs --checkpoint") }
  }

  static func names(_ list: String) throws(UsageProblem) -> [String] {
    var names: [String] = []
    for name in list.split(separator: ",") {
      guard let entry = OptimizerEntry.named(String(name)) else {
        let known = OptimizerEntry.all.map(\.name).joined(separator: ", ")
        throw UsageProblem("no optimizer is named \(name); there are \(known)")
      }
      if !names.contains(entry.name) { names.append(entry.name) }
    }
    guard !names.isEmpty else { throw UsageProblem("--optimizers needs at least one name") }
    return names
  }

  static func count(_ text: String, _ name: String) throws(UsageProblem) -> Int {
    guard let count = Int(text), count > 0 else { throw UsageProblem("\(name) needs a number above 0, not \(text)") }
    return count
  }

  private static func seed(_ text: String) throws(UsageProblem) -> UInt64 {
    guard let seed = UInt64(text) else { throw UsageProblem("--seed needs a whole number, 0 or more, not \(text)") }
    return seed
  }

  /// The command that does the same run again.
  var command: String {
    var words = [program.command]
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

    usage: \(program.name) [options]
           \(program.name) --study --help     for the comparison over many tasks and seeds

      --optimizers LIST   names with commas between them (default: \(Options().optimizers.joined(separator: ",")))
                          known: \(OptimizerEntry.all.map(\.name).joined(separator: ", "))
      --steps N           steps for each optimizer (default: \(defaultSteps))
      --seed S            start values and order of the data (default: 1)
      --text FILE         text to learn from, UTF-8 (default: this package's own sources)
      --json FILE         write the results for scripts
      --svg FILE          draw the loss curves
      --checkpoint FOLDER save every run there, and continue those that it holds
      --save-every N      steps between two saves (default: \(defaultSaveEvery)); the last step is always saved
      --quick             \(quickSteps) steps: seconds instead of a minute
      --help              this text

    Exit status: 0; 1 if a low-bit optimizer ended more than \(Verdict.marginInWords) above its 32-bit partner
    (with fewer than 4 bits in a moment, more than 3 % or 6 %);
    \(program.usageStatus) for a wrong option or a file that cannot be read or written.
    """
}
