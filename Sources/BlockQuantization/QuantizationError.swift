/// How far a quantizer's output is from its input, on data of the caller's.
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
  /// Share of the codebook's codes that occur at least once, 0 to 1.
  public let shareOfCodesUsed: Double
  /// Number of values measured.
  public let count: Int

  /// Encodes and decodes `values` and measures the difference.
  public init(of quantizer: BlockQuantizer, on values: [Float]) {
    let tensor = quantizer.encode(values)
    self.init(of: tensor, against: values)
  }

  /// Measures an encoded tensor against the values that it stands for.
  public init(of tensor: QuantizedTensor, against values: [Float]) {
    guard tensor.count == values.count else {
      fatalError("a tensor of \(tensor.count) values is measured against \(values.count)")
    }
    let decoded = tensor.decode()
    let blockSize = tensor.quantizer.blockSize
    var sum = 0.0
    var largest = 0.0
    var sumRelative = 0.0
    var largestRelative = 0.0
    var sumOfSquares = 0.0
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
    mean = sum / divisor
    maximum = largest
    meanRelativeToBlock = sumRelative / divisor
    maximumRelativeToBlock = largestRelative
    rootMeanSquare = (sumOfSquares / divisor).squareRoot()
    shareOfCodesUsed = Double(Set(tensor.unpackedCodes).count) / Double(tensor.quantizer.codebook.values.count)
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
