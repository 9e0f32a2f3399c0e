/// What an optimizer's state takes, parameter by parameter, and why each has its format.
///
/// ```swift
/// print(optimizer.report())
/// ```
public struct StateReport: Hashable, Sendable {
  /// One parameter's line.
  public struct Entry: Hashable, Sendable {
    public let key: ParameterKey
    /// Elements of the parameter.
    public let count: Int
    /// How each moment is stored.
    public let formats: [String]
    /// Why.
    public let reason: FormatReason
    /// Why the parameter has scales per block though the optimizer asks for scales per row and column, or for means of rows
    /// and columns; nil if it has what the optimizer asks for.
    public let missingScales: MissingRowAndColumnScales?
    /// What it is that is missing.
    fileprivate let missing: String
    /// Bytes of all moments, codes and scales.
    public let byteCount: Int
  }

  /// Sorted by key.
  public let entries: [Entry]
  /// Keys that the size rule names but that had no update yet: misspelt, perhaps.
  public let unmatchedKeys: [ParameterKey]

  /// Elements of all parameters.
  public var count: Int { entries.reduce(0) { $0 + $1.count } }
  /// Bytes of all state.
  public var byteCount: Int { entries.reduce(0) { $0 + $1.byteCount } }
  /// What the same moments would take in float32.
  public var float32ByteCount: Int { entries.reduce(0) { $0 + 4 * $1.count * $1.formats.count } }
}

extension LowBitOptimizer {
  /// The size and format of every parameter's state.
  public final func report() -> StateReport {
    StateReport(
      entries: states.values.sorted { $0.key < $1.key }.map { state in
        let unmet = unmetFormat(of: state)
        return StateReport.Entry(
          key: state.key, count: state.count,
          formats: [state.first.format, state.second?.format].compactMap { $0?.description },
          reason: state.reason, missingScales: unmet.map { missingScales(of: state, for: $0) },
          missing: unmet == .factored ? "means of rows and columns" : "scales per row and column",
          byteCount: state.byteCount)
      },
      unmatchedKeys: sizeRule.minimumCounts.keys.filter { states[$0] == nil }.sorted())
  }

  /// The format that the optimizer asks for, where it needs rows and columns and the parameter has blocks.
  private func unmetFormat(of state: ParameterState) -> MomentFormat? {
    guard state.reason == .largeEnough else { return nil }
    for (asked, found) in [(formats.first, state.formats.first), (formats.second, state.formats.second)] {
      if let asked, let found, asked.sharesScales && !found.sharesScales { return asked }
    }
    return nil
  }

  private func missingScales(of state: ParameterState, for format: MomentFormat) -> MissingRowAndColumnScales {
    if state.role == .embedding { return .embedding }
    let missing: MissingRowAndColumnScales? =
      format == .factored ? .init(ofMatricesIn: state.shape) : .init(of: state.shape)
    return missing ?? .cameInBlocks
  }
}

extension StateReport: CustomStringConvertible {
  public var description: String {
    let width = entries.reduce(9) { max($0, $1.key.name.count) }
    var lines = ["parameter".padded(to: width) + "    elements       bytes  state"]
    for entry in entries {
      let formats = Set(entry.formats).count == 1 ? [entry.formats[0]] : entry.formats
      let missingScales = entry.missingScales.map { "; no \(entry.missing): \($0)" } ?? ""
      lines.append(
        entry.key.name.padded(to: width) + "\(entry.count)".leftPadded(to: 12) + "\(entry.byteCount)".leftPadded(to: 12)
          + "  \(formats.joined(separator: ", ")) (\(entry.reason)\(missingScales))")
    }
    lines.append(
      "total".padded(to: width) + "\(count)".leftPadded(to: 12) + "\(byteCount)".leftPadded(to: 12)
        + "  float32 would take \(float32ByteCount)")
    for key in unmatchedKeys {
      lines.append("the size rule names \(key), which has had no update")
    }
    return lines.joined(separator: "\n")
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
  fileprivate func leftPadded(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}
