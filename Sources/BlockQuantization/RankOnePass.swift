internal import TileKernels

/// The passes over a tensor with one scale vector a dimension. All walk it row by row, a row being the last dimension.
enum RankOnePass {
  /// Values taken together by the 4-bit stages; even, so that chunks begin at a byte.
  private static let chunk = 128

  static func makeFinite(_ values: UnsafeMutableBufferPointer<Float>) {
    guard let base = values.baseAddress else { return }
    if !(KernelSet.current.absmax(base, values.count) < .infinity) { saturateStage(base, values.count) }
  }

  /// For each dimension, the scale at each index: the slice's largest magnitude, or 0 where that is subnormal.
  static func largestMagnitudes(of values: [Float], shape: [Int]) -> [[Float]] {
    var largest = shape.map { [Float](repeating: 0, count: $0) }
    let last = shape.count - 1
    values.withUnsafeBufferPointer { values in
      forEachRow(of: shape) { start, indices in
        let row = values.baseAddress! + start
        let absmax = KernelSet.current.absmax(row, shape[last])
        for dimension in 0..<last { largest[dimension][indices[dimension]].raise(to: absmax) }
        largest[last].withUnsafeMutableBufferPointer { largest in
          for column in 0..<shape[last] { largest[column].raise(to: row[column].magnitude) }
        }
      }
    }
    return largest.map { $0.map { $0 < .leastNormalMagnitude ? 0 : $0 } }
  }

  static func encode(_ values: [Float], shape: [Int], scales: [[Float]], _ codebook: Codebook) -> [UInt8] {
    var codes = [UInt8](repeating: 0, count: (values.count + 1) / 2)
    // The reciprocal of the smallest scale is the largest reciprocal: rounding keeps the order.
    let reciprocals = scales.map { $0.map { $0 == 0 ? 0 : 1 / $0 } }
    var normalised = values
    forEachRow(of: shape) { start, indices in
      let leading = zip(reciprocals, indices).reduce(Float(0)) { max($0, $1.0[$1.1]) }
      for (column, reciprocal) in reciprocals[shape.count - 1].enumerated() {
        normalised[start + column] *= max(leading, reciprocal)
      }
    }
    guard case .nibbles(let map) = codebook.tables.map else { fatalError("\(codebook) has no 4-bit codes") }
    for start in stride(from: 0, to: values.count, by: chunk) {
      let count = min(chunk, values.count - start)
      normalised.withUnsafeBufferPointer { normalised in
        codes.withUnsafeMutableBufferPointer { codes in
          KernelSet.current.encodeNibbles(
            normalised.baseAddress! + start, count, 1, map, codes.baseAddress! + start / 2)
        }
      }
    }
    return codes
  }

  static func decode(_ codes: [UInt8], shape: [Int], scales: [[Float]], _ codebook: Codebook) -> [Float] {
    let unpacked = PackedCodes.unpacked(codes, count: shape.reduce(1, *), bits: codebook.bits)
    var values = unpacked.map { codebook.values[Int($0)] }
    forEachRow(of: shape) { start, indices in
      let leading = zip(scales, indices).reduce(Float.infinity) { min($0, $1.0[$1.1]) }
      for (column, scale) in scales[shape.count - 1].enumerated() { values[start + column] *= min(leading, scale) }
    }
    return values
  }

  /// Calls `body` with the first element of each row and the row's index in every dimension but the last.
  private static func forEachRow(of shape: [Int], _ body: (Int, [Int]) -> Void) {
    let length = shape[shape.count - 1]
    let leading = Array(shape.dropLast())
    guard length > 0 && !leading.contains(0) else { return }
    var indices = [Int](repeating: 0, count: leading.count)
    for row in 0..<leading.reduce(1, *) {
      body(row * length, indices)
      for dimension in leading.indices.reversed() {
        indices[dimension] += 1
        if indices[dimension] < leading[dimension] { break }
        indices[dimension] = 0
      }
    }
  }
}

extension Float {
  fileprivate mutating func raise(to other: Float) {
    if other > self { self = other }
  }
}
