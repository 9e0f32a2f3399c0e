package import TileKernels

/// The lookup tables of a codebook, by the width of its codes.
enum CodeTables: Sendable {
  case bytes(ByteTables)
  case nibbles(NibbleTables)
  /// 2 or 3 bits.
  case packed(PackedTables)

  var map: CodeMap {
    switch self {
    case .bytes(let tables): .bytes(tables.map)
    case .nibbles(let tables): .nibbles(tables.map)
    case .packed(let tables): .packed(tables.map)
    }
  }
}

/// The same as plain pointers. Valid as long as the codebook that it came from.
package enum CodeMap {
  case bytes(ByteMap)
  case nibbles(NibbleMap)
  case packed(PackedMap)
}
