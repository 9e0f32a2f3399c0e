/// A sorted table of representable values: what the codes of a quantizer stand for.
///
/// A value is first divided by its block's scale, so that it lies in −1…1 (or 0…1 for an unsigned table), and is then
/// rounded to the nearest entry. One code takes `bits` bits; the table itself is shared and costs nothing per tensor.
///
/// ```swift
/// let codebook = Codebook.dynamic8
/// codebook.values[codebook.code(nearestTo: 0.5)]    // 0.5007813
/// ```
public struct Codebook: Sendable {
  /// The table's name in reports and checkpoints: "dynamic8", "linear4Unsigned".
  public let name: String
  /// Bits per code.
  public let bits: Int
  /// Whether the table holds negative values.
  public let isSigned: Bool
  /// The representable values in ascending order; the code is the index.
  public let values: [Float]
  /// `thresholds[k]` separates code k from code k + 1: the midpoint of their values, but for the few units in the last
  /// place that make an arithmetic encoder exact, and for the first one of an unsigned table, which is 0 (a positive
  /// value never takes the code of zero).
  public let thresholds: [Float]

  let tables: CodeTables

  /// A table whose thresholds are the midpoints themselves.
  init(name: String, values: [Float], isSigned: Bool, bits: Int) {
    self.name = name
    self.bits = bits
    self.isSigned = isSigned
    self.values = values
    thresholds = zip(values, values.dropFirst()).map { ($0 + $1) * 0.5 }
    tables =
      bits == 4
      ? .nibbles(NibbleTables(values: values, thresholds: thresholds))
      : .packed(PackedTables(values: values, thresholds: thresholds, bits: bits))
  }

  init(name: String, values: [Float], thresholds: [Float], isSigned: Bool, byteTables: ByteTables) {
    self.name = name
    bits = 8
    self.isSigned = isSigned
    self.values = values
    self.thresholds = thresholds
    tables = .bytes(byteTables)
  }

  /// The code of a normalised value: the number of thresholds below it. A tie takes the lower value, but in the signed
  /// table of 8 bits the one nearer to zero; NaN takes zero.
  ///
  /// This is the definition, written plainly; ``BlockQuantizer`` does the same many times faster.
  public func code(nearestTo value: Float) -> Int {
    if value.isNaN { return zeroCode }
    return thresholds.count { value > $0 }
  }

  /// The code that a zero takes: that of the value 0, or of the smallest value in a table without zero.
  public var zeroCode: Int { isSigned ? (values.count - 1) / 2 : 0 }

  /// Whether 0 is among the values.
  public var holdsZero: Bool { values[zeroCode] == 0 }
}

extension Codebook: Hashable {
  public static func == (a: Codebook, b: Codebook) -> Bool { a.name == b.name }
  public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

extension Codebook: CustomStringConvertible {
  public var description: String { name }
}
