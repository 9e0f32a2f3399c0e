/// A table with fixed columns: names start at the left edge of the first, numbers end at the right of the others.
public struct TextTable {
  /// Lines of headings, with units in the last.
  let headings: [[String]]
  let rows: [[String]]
  /// Whether the last column starts at its left edge too.
  let lastIsText: Bool

  public init(headings: [[String]], rows: [[String]], lastIsText: Bool = false) {
    self.headings = headings
    self.rows = rows
    self.lastIsText = lastIsText
  }

  public func lines() -> [String] {
    let all = headings + rows
    let widths = (headings.first ?? []).indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return all.map { row in
      let fields = row.indices.map { column in
        if lastIsText, column == row.count - 1 { return row[column] }
        return column == 0 ? row[column].padded(to: widths[column]) : row[column].leftPadded(to: widths[column])
      }
      return fields.joined(separator: "  ")
    }
  }
}
