internal import TileKernels

/// The lookup tables of a 4-bit codebook, built once and kept for the life of the process.
final class NibbleTables: @unchecked Sendable {
  let map: NibbleMap
  private let pairs: UnsafeMutablePointer<Float>
  private let thresholds: UnsafeMutablePointer<SIMD16<Float>>

  init(values: [Float], thresholds: [Float]) {
    precondition(values.count == 16 && thresholds.count == 15)
    pairs = .allocate(capacity: 512)
    for byte in 0..<256 {
      (pairs + 2 * byte).initialize(to: values[byte & 15])
      (pairs + 2 * byte + 1).initialize(to: values[byte >> 4])
    }
    self.thresholds = .allocate(capacity: 1)
    self.thresholds.initialize(to: SIMD16(thresholds + [.infinity]))
    map = NibbleMap(pairs: pairs, thresholds: self.thresholds)
  }

  deinit {
    pairs.deallocate()
    thresholds.deallocate()
  }
}
