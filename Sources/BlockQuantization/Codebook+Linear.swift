extension Codebook {
  /// The unsigned linear map without zero: (code + 1) / 16, from 0.0625 to 1. For second moments; half a byte a value.
  ///
  /// Adam divides by the root of the second moment, and a map that rounds small ones to zero makes those steps explode;
  /// without a zero they only become smaller ("Memory Efficient Optimizers with 4-bit States", Li, Chen and Zhu, section
  /// 4.1). A zero in a block that is not all zero therefore decodes to a sixteenth of the scale.
  public static let linear4Unsigned = Codebook(
    name: "linear4Unsigned", values: (1...16).map { Float($0) / 16 }, isSigned: false, bits: 4)
}
