internal import TileKernels

/// The lookup tables of a 4-bit codebook, built once and kept for the life of the process.
final class NibbleTables: @unchecked Sendable {
  let map: NibbleMap
  private let pairs: UnsafeMutablePointer<Float>
  private let buckets: BucketTable
  /// Sixteen values and fifteen thresholds.
  private let tables: UnsafeMutablePointer<Float>
  private let vectors: UnsafeMutablePointer<NibbleVectors>

  init(values: [Float], thresholds: [Float]) {
    precondition(values.count == 16 && thresholds.count == 15)
    pairs = .allocate(capacity: 512)
    for byte in 0..<256 {
      (pairs + 2 * byte).initialize(to: values[byte & 15])
      (pairs + 2 * byte + 1).initialize(to: values[byte >> 4])
    }
    buckets = BucketTable(thresholds: thresholds, nanCode: 0)
    tables = .allocate(capacity: 32)
    tables.initialize(repeating: .infinity, count: 32)
    tables.update(from: values, count: 16)
    (tables + 16).update(from: thresholds, count: 15)
    vectors = .allocate(capacity: 1)
    vectors.initialize(to: NibbleVectors(values: values, thresholds: thresholds))
    map = NibbleMap(
      pairs: pairs, buckets: buckets.entries, values: tables, thresholds: tables + 16, vectors: vectors)
  }

  deinit {
    pairs.deallocate()
    tables.deallocate()
    vectors.deallocate()
  }
}
