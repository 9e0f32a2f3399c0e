package import TileKernels

/// The lookup tables of an 8-bit codebook, built once and kept for the life of the process.
package final class ByteTables: @unchecked Sendable {
  package let map: ByteMap
  private let memory: UnsafeMutableRawPointer

  /// - Parameter magnitudeThresholds: ascending, of which no two may fall into one bucket (128 to an octave).
  init(values: [Float], magnitudeThresholds: [Float], zeroCode: Int, decades: DecadeTable) {
    precondition(values.count == 256)
    let inner = magnitudeThresholds.filter { $0 > 0 }
    let countAtZero = UInt32(magnitudeThresholds.count - inner.count)
    let first = inner[0].bitPattern >> 16
    let last = Float(1).bitPattern >> 16
    var buckets: [UInt32] = []
    var below = countAtZero
    var next = 0
    for bucket in first...last {
      guard next < inner.count, inner[next].bitPattern >> 16 == bucket else {
        buckets.append(below << 16)
        continue
      }
      buckets.append(below << 16 | (0xffff - inner[next].bitPattern & 0xffff))
      below += 1
      next += 1
      precondition(next == inner.count || inner[next].bitPattern >> 16 > bucket, "two thresholds in one bucket")
    }
    precondition(next == inner.count)
    buckets.append(0)

    let decadeFloats = decades.firstThresholds + decades.slopes + decades.offsets
    memory = .allocate(byteCount: 4 * (256 + decadeFloats.count + buckets.count), alignment: 64)
    let floats = memory.bindMemory(to: Float.self, capacity: 256 + decadeFloats.count)
    floats.initialize(from: values, count: 256)
    (floats + 256).initialize(from: decadeFloats, count: decadeFloats.count)
    let bucketMemory = (memory + 4 * (256 + decadeFloats.count)).bindMemory(to: UInt32.self, capacity: buckets.count)
    bucketMemory.initialize(from: buckets, count: buckets.count)
    map = ByteMap(
      values: floats, buckets: bucketMemory, firstBucket: first, outside: UInt32(buckets.count - 1),
      zeroCode: Int32(zeroCode), decades: floats + 256, topThreshold: magnitudeThresholds[magnitudeThresholds.count - 1])
  }

  deinit { memory.deallocate() }
}
