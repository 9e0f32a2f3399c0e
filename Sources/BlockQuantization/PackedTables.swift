internal import TileKernels

/// The lookup tables of a codebook of 2 or 3 bits, built once and kept for the life of the process.
final class PackedTables: @unchecked Sendable {
  let map: PackedMap
  private let tables: UnsafeMutablePointer<Float>

  init(values: [Float], thresholds: [Float], bits: Int) {
    precondition(values.count == 1 << bits && thresholds.count == values.count - 1 && values.count <= 8)
    tables = .allocate(capacity: 32)
    tables.initialize(repeating: 0, count: 16)
    tables.update(from: values, count: values.count)
    (tables + 16).initialize(repeating: .infinity, count: 16)
    (tables + 16).update(from: thresholds, count: thresholds.count)
    map = PackedMap(bits: bits, values: tables, thresholds: tables + 16)
  }

  deinit { tables.deallocate() }
}
