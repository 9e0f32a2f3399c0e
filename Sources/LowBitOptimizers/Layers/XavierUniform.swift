/// Xavier uniform initial values: U(−a, a) with a = √(6 / (rows + columns)), a function of the seed alone.
enum XavierUniform {
  static func bound(rows: Int, columns: Int) -> Double { (6 / Double(rows + columns)).squareRoot() }

  static func matrix(rows: Int, columns: Int, seed: UInt64) -> [Float] {
    let bound = bound(rows: rows, columns: columns)
    var generator = SplitMix64(state: seed)
    return [Float](unsafeUninitializedCapacity: rows * columns) { buffer, count in
      // Offset by half a step, so that the values are symmetric about zero.
      for index in 0..<rows * columns {
        let uniform = (Double(generator.next() >> 12) + 0.5) * 0x1p-52
        buffer.initializeElement(at: index, to: Float(bound * (2 * uniform - 1)))
      }
      count = rows * columns
    }
  }
}

/// A small generator with a documented sequence, so that a seed means the same on every platform and in every release.
private struct SplitMix64 {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
