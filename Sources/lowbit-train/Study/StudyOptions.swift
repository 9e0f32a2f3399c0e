import ProgramSupport

/// What was asked for after `--study`, `--ablation` or `--schemes`.
struct StudyOptions: Equatable {
  var study = false
  var ablation = false
  var schemes = false
  /// What the comparison of schemes multiplies the learning rates by.
  var rateFactor: Float = 1
  /// The schemes to compare with Adam32; nil for all.
  var schemeNames: [String]?
  var length = StudyLength.full
  var optimizers = OptimizerEntry.all.map(\.name)
  var tasks = StudyTask.allCases
  var seedCount: Int?
  var folder = "study"
  var textPath: String?
  var digitsPath: String?
  var threads = Machine.threads
  var help = false

  static let fullSeeds = 5
  static let quickSeeds = 2
  static let schemeSeeds = 3

  /// 1, 2, 3 …
  var seeds: [UInt64] { (1...(seedCount ?? (length == .full ? Self.fullSeeds : Self.quickSeeds))).map(UInt64.init) }

  /// One is enough for the ablation, whose grid already makes nine runs of each kind.
  var ablationSeeds: [UInt64] { (1...(seedCount ?? 1)).map(UInt64.init) }

  /// A scheme is compared with 32 bits seed by seed, which takes fewer of them.
  var schemeSeeds: [UInt64] { (1...(seedCount ?? Self.schemeSeeds)).map(UInt64.init) }

  /// Whether the arguments ask for a study and not for a single comparison.
  static func areMeant(by arguments: [String]) -> Bool {
    arguments.contains { ["--study", "--ablation", "--schemes"].contains($0) }
  }

  init() {}

  /// Reads the arguments after the program's name.
  init(_ arguments: [String]) throws(UsageProblem) {
    var arguments = ArgumentList(arguments)
    while let name = arguments.nextName() {
      switch name {
      case "--study" where arguments.isFlag: study = true
      case "--ablation" where arguments.isFlag: ablation = true
      case "--schemes" where arguments.isFlag: schemes = true
      case "--rate": rateFactor = try Self.factor(arguments.value())
      case "--only": schemeNames = try Self.schemeNames(arguments.value())
      case "--quick" where arguments.isFlag: length = .quick
      case "--optimizers": optimizers = try Options.names(arguments.value())
      case "--tasks": tasks = try Self.tasks(arguments.value())
      case "--seeds": seedCount = try Options.count(arguments.value(), name)
      case "--out": folder = try arguments.value()
      case "--text": textPath = try arguments.value()
      case "--digits": digitsPath = try arguments.value()
      case "--threads": threads = try Options.count(arguments.value(), name)
      case "--help" where arguments.isFlag, "-h" where arguments.isFlag: help = true
      default: throw arguments.unknownOption
      }
    }
  }

  private static func tasks(_ list: String) throws(UsageProblem) -> [StudyTask] {
    var tasks: [StudyTask] = []
    for name in list.split(separator: ",") {
      guard let task = StudyTask(rawValue: name.lowercased()) else {
        throw UsageProblem("no task is named \(name); there are \(allTasks)")
      }
      if !tasks.contains(task) { tasks.append(task) }
    }
    guard !tasks.isEmpty else { throw UsageProblem("--tasks needs at least one name") }
    return tasks
  }

  private static func factor(_ text: String) throws(UsageProblem) -> Float {
    guard let factor = Float(text), factor > 0, factor.isFinite else {
      throw UsageProblem("--rate needs a number above 0, not \(text)")
    }
    return factor
  }

  private static func schemeNames(_ list: String) throws(UsageProblem) -> [String] {
    let names = list.split(separator: ",").map(String.init)
    if let unknown = names.first(where: { name in !MomentScheme.all.contains { $0.name == name } }) {
      throw UsageProblem(
        "no scheme is named \(unknown); there are " + MomentScheme.all.map(\.name).joined(separator: ", "))
    }
    return names
  }

  private static var allTasks: String { StudyTask.allCases.map(\.rawValue).joined(separator: ", ") }

  static let usage = """
    Trains many small models with every optimizer from several seeds, and compares low bits with 32 bits: mean and spread
    of the final metric, the largest loss after the warm-up, the bytes of the state, and the runs that diverged.

    usage: \(program.name) --study [options]
           \(program.name) --ablation [options]
           \(program.name) --schemes [options]

      --study             every optimizer on every task: about half an hour on two cores
      --ablation          parts of the 8-bit method left out, on the word model: as long
      --schemes           ways to keep moments in 4 bits and fewer, on tasks without stable embedding: as long
      --quick             an eighth of the steps and \(quickSeeds) seeds: minutes
      --seeds N           seeds 1 to N (default: \(fullSeeds); with --quick \(quickSeeds); schemes \(schemeSeeds), ablation 1)
      --optimizers LIST   names with commas between them (default: all); for the study only
      --tasks LIST        tasks of the study, and of the schemes (default: all)
                          \(allTasks)
      --only LIST         schemes to compare with Adam32, by their names in schemes.json (default: all)
      --rate X            what the schemes' learning rates are multiplied by (default: 1)
      --text FILE         text for the character models, UTF-8 (default: this package's own sources)
      --digits FILE       images as lines of 64 pixels and a digit; without it that task is left out
      --out FOLDER        where results are kept (default: study)
      --threads N         runs side by side, which does not change what they come to (default: all cores)
      --help              this text

    Every finished run leaves a file in the folder. When interrupted, the same command goes on where it stopped. At the
    end study.json, study.svg, ablation.json, ablation.svg and schemes.json are there too. Runs are told apart by their
    settings and their data, not by the program's code: after a change of an optimizer, take another folder.

    Exit status: 0; 1 if a low-bit optimizer missed a bound; \(program.usageStatus) for a wrong option or a file that
    cannot be read or written.
    """
}
