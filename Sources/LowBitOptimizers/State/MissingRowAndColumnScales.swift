/// Why a parameter has scales per block in an optimizer that asks for scales per row and column, or for means of rows and
/// columns.
public enum MissingRowAndColumnScales: Hashable, Sendable, CustomStringConvertible {
  /// The first update named no shape.
  case noShape
  /// A vector.
  case oneDimension
  /// The scales of all rows and columns would outgrow the codes, or the means the codes that stand in for them.
  case narrowShape
  /// An update of a few rows must not change what it shares with all others.
  case embedding
  /// The state was restored from a file that has it in blocks.
  case cameInBlocks

  public var description: String {
    switch self {
    case .noShape: "no shape was named"
    case .oneDimension: "one dimension"
    case .narrowShape: "too narrow a shape"
    case .embedding: "embedding table"
    case .cameInBlocks: "restored in blocks"
    }
  }
}

extension MissingRowAndColumnScales {
  /// For a parameter of this shape; nil if it has scales per row and column.
  ///
  /// They need two or more dimensions, and they must not outgrow the codes: a column of 4096 values would have 4097 scales.
  init?(of shape: [Int]?) {
    guard let shape else {
      self = .noShape
      return
    }
    guard shape.count >= 2 else {
      self = .oneDimension
      return
    }
    // Without elements there is nothing to scale, and sum and product can overflow.
    guard shape.contains(0) || 8 * shape.reduce(0, +) > shape.reduce(1, *) else { return nil }
    self = .narrowShape
  }

  /// For the means of the rows and columns of a tensor's matrices, by the same rule: a 3 × 3 kernel of a convolution has 6
  /// means for 9 values. Nil for a parameter that has them.
  init?(ofMatricesIn shape: [Int]?) {
    let matrix = shape.map { $0.contains(0) ? $0 : Array($0.suffix(2)) }
    self.init(of: matrix)
  }
}
