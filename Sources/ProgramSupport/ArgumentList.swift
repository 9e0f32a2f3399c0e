/// Walks the arguments after a program's name. Both `--steps 100` and `--steps=100` are understood.
public struct ArgumentList {
  private var rest: ArraySlice<String>
  private var argument = ""
  private var attachedValue: String?

  public init(_ arguments: [String]) { rest = arguments[...] }

  /// Goes to the next option and returns its name; nil after the last one.
  public mutating func nextName() -> String? {
    guard let next = rest.popFirst() else { return nil }
    argument = next
    let parts = next.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    attachedValue = parts.count == 2 ? parts[1] : nil
    return parts[0]
  }

  /// The value of the option that `nextName` returned.
  public mutating func value() throws(UsageProblem) -> String {
    let name = argument.prefix { $0 != "=" }
    guard let value = attachedValue ?? rest.popFirst(), !value.isEmpty else {
      throw UsageProblem("\(name) needs a value")
    }
    return value
  }

  /// Whether the option came without `=`, as those must that take no value.
  public var isFlag: Bool { attachedValue == nil }

  /// What to throw for a name that the program does not know.
  public var unknownOption: UsageProblem { UsageProblem("unknown option \(argument)") }
}

extension String {
  /// Fit to be pasted into a shell.
  public var shellQuoted: String {
    let plain = unicodeScalars.allSatisfy {
      $0.isASCII && ($0.properties.isAlphabetic || "0123456789/._-+".unicodeScalars.contains($0))
    }
    return plain ? self : "'\(split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''"))'"
  }
}
