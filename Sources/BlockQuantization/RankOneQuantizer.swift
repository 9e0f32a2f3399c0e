/// Quantizes matrices and tensors of more dimensions with one scale vector a dimension.
///
/// For each dimension and index it stores the largest magnitude of that slice; the scale of an element is the smallest of
/// its slices' ("Memory Efficient Optimizers with 4-bit States", Li, Chen and Zhu, section 4.2, rank-1 normalization).
/// Large rows and large columns then do not drown the rest. Memory: `bits / 8` bytes a value and 4 bytes for each row,
/// column and so on: 0.508 bytes a value for 4 bits and 1024 × 1024.
///
/// ```swift
/// let quantizer = RankOneQuantizer(.linear4Unsigned, shape: [1024, 1024])
/// let restored = quantizer.encode(secondMoments).decode()
/// ```
///
/// Special values are those of ``BlockQuantizer``; a slice of zeros or subnormals stores scale 0 and decodes to zeros.
public struct RankOneQuantizer: Hashable, Sendable {
  /// What the codes stand for: a codebook of 4 bits.
  public let codebook: Codebook
  /// The tensor's dimensions, outermost first; two or more.
  public let shape: [Int]

  /// - Precondition: a 4-bit codebook, and two or more dimensions, none negative.
  public init(_ codebook: Codebook, shape: [Int]) {
    guard codebook.bits == 4 else { fatalError("\(codebook): scales per row and column go with 4-bit codes") }
    guard shape.count >= 2 && shape.allSatisfy({ $0 >= 0 }) else {
      fatalError("shape \(shape): scales per row and column need two or more dimensions")
    }
    self.codebook = codebook
    self.shape = shape
  }

  /// Number of values.
  public var count: Int { shape.reduce(1, *) }

  /// Bytes of codes and scales.
  public var byteCount: Int { (count * codebook.bits + 7) / 8 + 4 * shape.reduce(0, +) }

  /// Encodes into a new tensor.
  ///
  /// - Precondition: as many values as the shape has elements.
  public func encode(_ values: [Float]) -> RankOneTensor {
    guard values.count == count else { fatalError("\(values.count) values for shape \(shape), which has \(count)") }
    let (codes, scales) = RankOnePass(self).encode(values)
    return RankOneTensor(quantizer: self, codes: codes, flatScales: scales)
  }
}

/// The codes and scale vectors of one tensor.
public struct RankOneTensor: Hashable, Sendable {
  /// How the tensor was encoded.
  public let quantizer: RankOneQuantizer
  /// The codes, two a byte, the even element in the low nibble.
  public let codes: [UInt8]
  /// For each dimension, the largest magnitude at each index.
  public var scales: [[Float]] {
    var rest = flatScales[...]
    return quantizer.shape.map { length in
      defer { rest = rest.dropFirst(length) }
      return Array(rest.prefix(length))
    }
  }
  /// The scale vectors one after another.
  package let flatScales: [Float]

  package init(quantizer: RankOneQuantizer, codes: [UInt8], flatScales: [Float]) {
    self.quantizer = quantizer
    self.codes = codes
    self.flatScales = flatScales
  }

  /// Bytes of codes and scales together.
  public var byteCount: Int { quantizer.byteCount }

  /// The codes one by one.
  public var unpackedCodes: [UInt8] {
    PackedCodes.unpacked(codes, count: quantizer.count, bits: quantizer.codebook.bits)
  }

  /// The values that the codes and scales stand for.
  public func decode() -> [Float] {
    RankOnePass(quantizer).decode(codes, scales: flatScales)
  }
}
