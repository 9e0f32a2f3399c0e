import ProgramSupport

/// A number with a fixed count of decimals, or a dash where there is none.
func fixed(_ value: Double?, _ decimals: Int, _ unit: String = "") -> String {
  value.map { fixed($0, decimals) + unit } ?? "-"
}

/// A share as percent.
func percent(_ share: Double?) -> String { share.map { fixed(100 * $0, 1) + " %" } ?? "-" }

/// 2^24 for a power of two, else the number.
func power(_ value: Int) -> String {
  value >= 1024 && value & (value - 1) == 0 ? "2^\(value.trailingZeroBitCount)" : "\(value)"
}
