package import TileKernels

/// How a block's scale follows from its values.
public enum ScaleRule: String, Hashable, Sendable {
  /// The largest magnitude. A signed map has +1 but no −1, so a block whose extreme is negative loses some of it: 0.7 % at
  /// 8 bits, 11 % at 4, 22 % at 3 and 45 % at 2.
  case absmax
  /// The extreme element itself, with its sign, which makes it exact in every block at no cost in storage. For signed maps
  /// below 8 bits. Of two extremes of one magnitude the first counts.
  case signedExtreme

  package var kind: BlockScale {
    switch self {
    case .absmax: .absmax
    case .signedExtreme: .signedExtreme
    }
  }
}
