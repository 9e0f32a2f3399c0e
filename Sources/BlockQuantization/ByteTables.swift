internal import TileKernels

/// The lookup tables of an 8-bit codebook, built once and kept for the life of the process.
final class ByteTables: @unchecked Sendable {
  let map: ByteMap
  private let values: UnsafeMutablePointer<Float>
  private let bytePlanes: UnsafeMutableRawPointer
  private let buckets: UnsafeMutablePointer<UInt32>
  private let decades: UnsafeMutablePointer<DecadeTables>

  /// - Parameters:
  ///   - thresholds: ascending, of which no two may fall into one bucket (128 to an octave).
  ///   - nanCode: the code of NaN.
  init(values: [Float], thresholds: [Float], nanCode: Int, decades: DecadeTables) {
    precondition(values.count == 256 && thresholds.count == 255)
    self.values = .allocate(capacity: 256)
    self.values.initialize(from: values, count: 256)
    bytePlanes = .allocate(byteCount: 1024, alignment: 64)
    for (code, value) in values.enumerated() {
      for plane in 0..<4 {
        let byte = UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(8 * plane))
        bytePlanes.storeBytes(of: byte, toByteOffset: 256 * plane + code, as: UInt8.self)
      }
    }
    self.decades = .allocate(capacity: 1)
    self.decades.initialize(to: decades)

    let bucketCount = 1 << 16
    buckets = .allocate(capacity: bucketCount)
    let keys = thresholds.map { orderKey($0) }
    let infinity = orderKey(.infinity) >> 16
    var below = 0
    for index in 0..<bucketCount {
      let bucket = Int32(index - bucketCount / 2)
      var entry = UInt32(below) << 16
      if below < keys.count && keys[below] >> 16 == bucket {
        entry |= 0xffff - UInt32(keys[below] & 0xffff)
        below += 1
        precondition(below == keys.count || keys[below] >> 16 > bucket, "two thresholds in one bucket")
      }
      if bucket > infinity || bucket < orderKey(-.infinity) >> 16 { entry = UInt32(nanCode) << 16 }
      (buckets + index).initialize(to: entry)
    }
    map = ByteMap(
      values: self.values, buckets: buckets + bucketCount / 2,
      bytePlanes: bytePlanes.bindMemory(to: UInt8.self, capacity: 1024), decades: self.decades)
  }

  deinit {
    values.deallocate()
    bytePlanes.deallocate()
    buckets.deallocate()
    decades.deallocate()
  }
}
