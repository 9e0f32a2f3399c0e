import BlockQuantization

/// The moments of one parameter in float32.
public struct Moments: Hashable, Sendable {
  /// Adam's mean of gradients, or Momentum's buffer.
  public var first: [Float]
  /// Adam's mean of squared gradients; nil for Momentum.
  public var second: [Float]?
}

/// The moments of one parameter as they are stored; nil where a moment's values are in float32.
public struct QuantizedMoments: Equatable, Sendable {
  /// Adam's mean of gradients, or Momentum's buffer.
  public var first: EncodedMoment?
  /// Adam's mean of squared gradients; nil for Momentum.
  public var second: EncodedMoment?
}

/// One moment's codes and scales, or means.
public enum EncodedMoment: Equatable, Sendable {
  /// One scale a block.
  case blocks(QuantizedTensor)
  /// One scale vector a dimension.
  case rankOne(RankOneTensor)
  /// One largest value and one base a block.
  case logarithmic(LogarithmicTensor)
  /// The means of rows and columns, without codes.
  case factored(FactoredMoment)

  /// The codes, packed as they are stored.
  public var codes: [UInt8] {
    switch self {
    case .blocks(let tensor): tensor.codes
    case .rankOne(let tensor): tensor.codes
    case .logarithmic(let tensor): tensor.codes
    case .factored: []
    }
  }

  /// The codes one by one.
  public var unpackedCodes: [UInt8] {
    switch self {
    case .blocks(let tensor): tensor.unpackedCodes
    case .rankOne(let tensor): tensor.unpackedCodes
    case .logarithmic(let tensor): tensor.unpackedCodes
    case .factored: []
    }
  }

  /// One scale a block, or the scale vectors one after another, or the row means and then the column means.
  public var scales: [Float] {
    switch self {
    case .blocks(let tensor): tensor.scales
    case .rankOne(let tensor): tensor.scales.flatMap { $0 }
    case .logarithmic(let tensor): tensor.scales
    case .factored(let moment): moment.rowMeans + moment.columnMeans
    }
  }

  /// Bytes of codes and scales, or means.
  public var byteCount: Int {
    switch self {
    case .blocks(let tensor): tensor.byteCount
    case .rankOne(let tensor): tensor.byteCount
    case .logarithmic(let tensor): tensor.byteCount
    case .factored(let moment): moment.byteCount
    }
  }

  /// The values that the codes and scales, or means, stand for.
  public func decode() -> [Float] {
    switch self {
    case .blocks(let tensor): tensor.decode()
    case .rankOne(let tensor): tensor.decode()
    case .logarithmic(let tensor): tensor.decode()
    case .factored(let moment): moment.decode()
    }
  }
}
