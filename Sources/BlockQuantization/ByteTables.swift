internal import TileKernels

/// The lookup tables of an 8-bit codebook, built once and kept for the life of the process.
final class ByteTables: @unchecked Sendable {
  let map: ByteMap
  private let values: UnsafeMutablePointer<Float>
  private let shiftedValues: UnsafeMutablePointer<UInt64>
  private let bytePlaneMemory: UnsafeMutableRawPointer
  private let buckets: BucketTable
  private let decades: UnsafeMutablePointer<DecadeTables>
  private let bins: UnsafeMutablePointer<BinTables>

  /// - Parameter nanCode: the code of NaN.
  init(values: [Float], thresholds: [Float], nanCode: Int, decades: DecadeTables, bins: BinTables) {
    precondition(values.count == 256 && thresholds.count == 255)
    self.values = .allocate(capacity: 256)
    self.values.initialize(from: values, count: 256)
    shiftedValues = .allocate(capacity: 256)
    for (code, value) in values.enumerated() { shiftedValues[code] = UInt64(value.bitPattern) << 32 }
    bytePlaneMemory = .allocate(byteCount: 1088, alignment: 64)
    let bytePlanes = bytePlaneMemory + (decades.isSigned ? 1 : 0)
    for (code, value) in values.enumerated() {
      let kept: Float = decades.isSigned && value == 0 ? 1 : value
      for plane in 0..<4 {
        let byte = UInt8(truncatingIfNeeded: kept.bitPattern >> UInt32(8 * plane))
        bytePlanes.storeBytes(of: byte, toByteOffset: 256 * plane + code, as: UInt8.self)
      }
    }
    self.decades = .allocate(capacity: 1)
    self.decades.initialize(to: decades)
    self.bins = .allocate(capacity: 1)
    self.bins.initialize(to: bins)

    buckets = BucketTable(thresholds: thresholds, nanCode: nanCode)
    map = ByteMap(
      values: self.values, shiftedValues: shiftedValues, buckets: buckets.entries,
      bytePlanes: bytePlanes.bindMemory(to: UInt8.self, capacity: 1024), decades: self.decades,
      bins: self.bins)
  }

  deinit {
    values.deallocate()
    shiftedValues.deallocate()
    bytePlaneMemory.deallocate()
    decades.deallocate()
    bins.deallocate()
  }
}
