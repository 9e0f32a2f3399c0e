/// How far a quantizer's output is from its input, on data of the caller's.
///
/// No quantizer holds a NaN or an infinity: if the data has one, every measure but the share of codes is infinite.
///
/// ```swift
/// let error = QuantizationError(of: .dynamic8, on: gradient)
/// XCTAssertLessThan(error.maximumRelativeToBlock, 0.01, "\(error)")
/// ```
public struct QuantizationError: Hashable, Sendable {
  /// Mean of |decoded − value|.
  public let mean: Double
  /// Largest |decoded − value|.
  public let maximum: Double
  /// Mean of |decoded − value| / largest magnitude of the value's block. Blocks of zeros count as 0.
  public let meanRelativeToBlock: Double
  /// Largest |decoded − value| / largest magnitude of the value's block.
  public let maximumRelativeToBlock: Double
  /// Square root of the mean of (decoded − value)².
  public let rootMeanSquare: Double
  /// Share of the quantizer's codes that occur at least once, 0 to 1.
  public let shareOfCodesUsed: Double
  /// Number of values measured.
  public let count: Int

  /// Encodes and decodes `values` and measures the difference.
  public init(of quantizer: BlockQuantizer, on values: [Float]) {
    self.init(of: quantizer.encode(values), against: values)
  }

  /// Encodes and decodes `values` and measures the difference. For the relative measures the whole tensor is one block.
  public init(of quantizer: RankOneQuantizer, on values: [Float]) {
    let tensor = quantizer.encode(values)
    self.init(
      decoded: tensor.decode(), values: values, blockSize: max(values.count, 1), codes: tensor.unpackedCodes,
      codeCount: quantizer.codebook.values.count)
  }

  /// Measures an encoded tensor against the values that it stands for.
  public init(of tensor: QuantizedTensor, against values: [Float]) {
    guard tensor.count == values.count else {
      fatalError("a tensor of \(tensor.count) values is measured against \(values.count)")
    }
    self.init(
      decoded: tensor.decode(), values: values, blockSize: tensor.quantizer.blockSize, codes: tensor.unpackedCodes,
      codeCount: tensor.quantizer.codebook.values.count)
  }

  /// Encodes and decodes `values` and measures the difference. The rounding is random and follows from the seed.
  public init(of quantizer: LogarithmicQuantizer, on values: [Float], seed: UInt64 = 0) {
    self.init(of: quantizer.encode(values, seed: seed), against: values)
  }

  /// Measures an encoded tensor against the values that it stands for.
  public init(of tensor: LogarithmicTensor, against values: [Float]) {
    guard tensor.count == values.count else {
      fatalError("a tensor of \(tensor.count) values is measured against \(values.count)")
    }
    self.init(
      decoded: tensor.decode(), values: values, blockSize: tensor.quantizer.blockSize, codes: tensor.unpackedCodes,
      codeCount: 1 << tensor.quantizer.bits)
  }

  private init(decoded: [Float], values: [Float], blockSize: Int, codes: [UInt8], codeCount: Int) {
    var sum = 0.0
    var largest = 0.0
    var sumRelative = 0.0
    var largestRelative = 0.0
    var sumOfSquares = 0.0
    let isFinite = values.allSatisfy(\.isFinite)
    for start in stride(from: 0, to: values.count, by: blockSize) {
      let block = start..<min(start + blockSize, values.count)
      let absmax = block.reduce(0.0) { max($0, Double(values[$1]).magnitude) }
      for index in block {
        let error = (Double(decoded[index]) - Double(values[index])).magnitude
        let relative = absmax > 0 ? error / absmax : 0
        sum += error
        largest = max(largest, error)
        sumRelative += relative
        largestRelative = max(largestRelative, relative)
        sumOfSquares += error * error
      }
    }
    let divisor = Double(max(values.count, 1))
    mean = isFinite ? sum / divisor : .infinity
    maximum = isFinite ? largest : .infinity
    meanRelativeToBlock = isFinite ? sumRelative / divisor : .infinity
    maximumRelativeToBlock = isFinite ? largestRelative : .infinity
    rootMeanSquare = isFinite ? (sumOfSquares / divisor).squareRoot() : .infinity
    shareOfCodesUsed = Double(Set(codes).count) / Double(codeCount)
    count = values.count
  }
}

extension QuantizationError: CustomStringConvertible {
  public var description: String {
    """
    error of \(count) values: mean \(Self.short(mean)), maximum \(Self.short(maximum)), root mean square \
    \(Self.short(rootMeanSquare)); relative to the block's largest: mean \(Self.short(meanRelativeToBlock)), maximum \
    \(Self.short(maximumRelativeToBlock)); \(Self.short(100 * shareOfCodesUsed)) % of the codes used
    """
  }

  /// Three significant digits.
  private static func short(_ value: Double) -> String {
    guard value > 0, value.isFinite else { return "\(value)" }
    var scale = 1.0
    while value * scale < 100 { scale *= 10 }
    while value * scale >= 1000 { scale /= 10 }
    return "\((value * scale).rounded() / scale)"
  }
}
