import LowBitOptimizers

/// Rounds every value, divided by a scale, to the nearest of a table.
struct TableRounding: MomentRounding {
  /// How many values share a scale.
  enum Scope: Equatable, Sendable {
    case wholeTensor
    case blocks(Int)
    /// The smaller one of a row's and a column's; in a tensor whose shape does not allow it, one for 128 values.
    case rowsAndColumns
  }

  /// What becomes of a positive value that is nearer to zero than to the smallest positive level of an unsigned table.
  private enum SmallValues: Equatable, Sendable {
    /// Zero, as in bitsandbytes.
    case toZero
    /// The smallest positive level, as in this package.
    case kept
  }

  let scope: Scope
  let scaleRule: ScaleRule
  /// Whether a block's scale is multiplied, after rounding, by ‖x‖² / ⟨x, rounded x⟩. Nearest rounding shrinks or grows a
  /// block as a whole; this undoes it ("EDEN", Vargaftik et al.).
  let correctsScale: Bool
  private let values: [Float]
  private let thresholds: [Float]
  /// The code of the least value of each group of floats with equal upper bits: a search starts there.
  private let firstCodes: [UInt8]
  private let smallValues: SmallValues

  /// Floats with the same upper bits (sign, exponent, 6 bits of the fraction) differ by less than 2 %.
  private static let keyShift: UInt32 = 17

  /// A table with the published rounding.
  ///
  /// - Parameter values: ascending, at most 256.
  init(values: [Float], scope: Scope, scaledBy scaleRule: ScaleRule = .absmax, correctsScale: Bool = false) {
    let thresholds = zip(values, values.dropFirst()).map { ($0 + $1) * 0.5 }
    self.init(
      values: values, thresholds: thresholds, scope: scope, scaleRule: scaleRule, correctsScale: correctsScale,
      smallValues: .toZero)
  }

  /// The table of `codebook`, with the rounding of this package.
  init(_ codebook: Codebook, scope: Scope, scaledBy scaleRule: ScaleRule = .absmax) {
    self.init(
      values: codebook.values, thresholds: codebook.thresholds, scope: scope, scaleRule: scaleRule,
      correctsScale: false, smallValues: codebook.isSigned || !codebook.holdsZero ? .toZero : .kept)
  }

  private init(
    values: [Float], thresholds: [Float], scope: Scope, scaleRule: ScaleRule, correctsScale: Bool,
    smallValues: SmallValues
  ) {
    self.scope = scope
    self.scaleRule = scaleRule
    self.correctsScale = correctsScale
    self.smallValues = smallValues
    self.values = values
    self.thresholds = thresholds
    firstCodes = (0..<(UInt32(1) << (32 - Self.keyShift))).map { key in
      let bits = key << Self.keyShift
      // Of negative floats, the one with all lower bits set is the least.
      let least = Float(bitPattern: bits >> 31 == 0 ? bits : bits | (1 << Self.keyShift - 1))
      return UInt8(least.isNaN ? 0 : thresholds.count { least > $0 })
    }
  }

  func byteCount(of shape: [Int]) -> Int {
    let count = shape.reduce(1, *)
    let bits = values.count > 16 ? 8 : 4
    return (count * bits + 7) / 8 + 4 * scaleCount(of: shape, count)
  }

  private func scaleCount(of shape: [Int], _ count: Int) -> Int {
    switch effectiveScope(shape) {
    case .wholeTensor: 1
    case .blocks(let size): (count + size - 1) / size
    case .rowsAndColumns: shape.reduce(0, +)
    }
  }

  private func effectiveScope(_ shape: [Int]) -> Scope {
    scope == .rowsAndColumns && !takesRowsAndColumns(shape) ? .blocks(128) : scope
  }

  func round(_ tensor: UnsafeMutableBufferPointer<Float>, of moment: RoundedMoment) {
    withLevels { levels in
      switch effectiveScope(moment.shape) {
      case .wholeTensor: roundBlock(tensor, levels)
      case .blocks(let size):
        for start in stride(from: 0, to: tensor.count, by: size) {
          roundBlock(UnsafeMutableBufferPointer(rebasing: tensor[start..<min(start + size, tensor.count)]), levels)
        }
      case .rowsAndColumns:
        guard moment.shape.count == 2 else { fatalError("rows and columns of a tensor of shape \(moment.shape)") }
        roundMatrix(tensor, columns: moment.shape[1], levels)
      }
    }
  }

  private func roundBlock(_ block: UnsafeMutableBufferPointer<Float>, _ levels: Levels) {
    var absmax: Float = 0
    for value in block { absmax = max(absmax, abs(value)) }
    guard absmax >= .leastNormalMagnitude, absmax < .infinity else {
      // A run whose moments are infinite is over anyway.
      if absmax < .leastNormalMagnitude { block.update(repeating: 0) }
      return
    }
    var scale = absmax
    if scaleRule == .signedExtreme { scale = block.first { abs($0) == absmax }! }
    let reciprocal = 1 / scale
    guard correctsScale else {
      for i in block.indices { block[i] = levels.nearest(to: block[i], times: reciprocal) * scale }
      return
    }
    var (square, product) = (0.0, 0.0)
    for value in block {
      let x = Double(value * reciprocal)
      square += x * x
      product += x * Double(levels.nearest(to: value, times: reciprocal))
    }
    let corrected = Float(Double(scale) * (square / max(product, 1e-12)))
    for i in block.indices { block[i] = levels.nearest(to: block[i], times: reciprocal) * corrected }
  }

  private func roundMatrix(_ matrix: UnsafeMutableBufferPointer<Float>, columns: Int, _ levels: Levels) {
    let rows = matrix.count / columns
    var (rowScales, columnScales) = ([Float](repeating: 0, count: rows), [Float](repeating: 0, count: columns))
    for row in 0..<rows {
      for column in 0..<columns {
        let size = abs(matrix[row * columns + column])
        rowScales[row] = max(rowScales[row], size)
        columnScales[column] = max(columnScales[column], size)
      }
    }
    for row in 0..<rows {
      for column in 0..<columns {
        let index = row * columns + column
        let scale = min(rowScales[row], columnScales[column])
        matrix[index] =
          scale < .leastNormalMagnitude ? 0 : levels.nearest(to: matrix[index], times: 1 / scale) * scale
      }
    }
  }

  // MARK: - Levels

  /// The tables as plain pointers.
  private struct Levels {
    let values: UnsafeBufferPointer<Float>
    let thresholds: UnsafeBufferPointer<Float>
    let firstCodes: UnsafeBufferPointer<UInt8>
    let keepsSmall: Bool

    /// The level for `value · factor`.
    @inline(__always)
    func nearest(to value: Float, times factor: Float) -> Float {
      let normalised = value * factor
      var code = Int(firstCodes[Int(normalised.bitPattern >> TableRounding.keyShift)])
      while code < thresholds.count, normalised > thresholds[code] { code += 1 }
      // The threshold of zero does not catch what became zero by being divided by the scale.
      if keepsSmall, code == 0, value > 0 { code = 1 }
      return values[code]
    }
  }

  private func withLevels(_ body: (Levels) -> Void) {
    values.withUnsafeBufferPointer { values in
      thresholds.withUnsafeBufferPointer { thresholds in
        firstCodes.withUnsafeBufferPointer { firstCodes in
          body(
            Levels(values: values, thresholds: thresholds, firstCodes: firstCodes, keepsSmall: smallValues == .kept))
        }
      }
    }
  }
}
