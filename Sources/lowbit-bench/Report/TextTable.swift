import Foundation

/// A table with fixed columns: names start at the left edge of the first, numbers end at the right of the others.
struct TextTable {
  /// Lines of headings, with units in the last.
  let headings: [[String]]
  let rows: [[String]]

  func lines() -> [String] {
    let all = headings + rows
    let widths = (headings.first ?? []).indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return all.map { row in
      let fields = row.indices.map { column in
        column == 0 ? row[column].padded(to: widths[column]) : row[column].leftPadded(to: widths[column])
      }
      return fields.joined(separator: "  ")
    }
  }
}

/// A number with a fixed count of decimals.
func fixed(_ value: Double, _ decimals: Int) -> String { String(format: "%.\(decimals)f", value) }

/// The same, or a dash where there is no number.
func fixed(_ value: Double?, _ decimals: Int, _ unit: String = "") -> String {
  value.map { fixed($0, decimals) + unit } ?? "-"
}

/// A share as percent.
func percent(_ share: Double?) -> String { share.map { fixed(100 * $0, 1) + " %" } ?? "-" }

/// 2^24 for a power of two, else the number.
func power(_ value: Int) -> String {
  value >= 1024 && value & (value - 1) == 0 ? "2^\(value.trailingZeroBitCount)" : "\(value)"
}

extension String {
  func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }

  func leftPadded(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}
