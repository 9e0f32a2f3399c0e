internal import TileKernels

/// A table that finds the code of any float with one look-up; see `ByteMap.buckets`.
final class BucketTable: @unchecked Sendable {
  /// From −32,768 to 32,767.
  let entries: UnsafePointer<UInt32>
  private let memory: UnsafeMutablePointer<UInt32>

  /// - Parameters:
  ///   - thresholds: ascending, of which no two may fall into one bucket (128 to an octave).
  ///   - nanCode: the code of NaN.
  init(thresholds: [Float], nanCode: Int) {
    let bucketCount = 1 << 16
    memory = .allocate(capacity: bucketCount)
    entries = UnsafePointer(memory + bucketCount / 2)
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
      (memory + index).initialize(to: entry)
    }
  }

  deinit { memory.deallocate() }
}
