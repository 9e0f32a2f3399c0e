import Foundation

/// A token embedding whose output is layer-normalised, so that language models train with low-bit optimizers.
///
/// The layer of "8-bit Optimizers via Block-wise Quantization" (Dettmers et al., section 2.3): a table that starts as
/// Xavier uniform, U(−a, a) with a = √(6 / (vocabulary + dimension)), and layer normalization (ε 1e-5, biased variance)
/// of every row that is looked up, before positions are added.
///
/// ```swift
/// let embedding = StableEmbedding(vocabularySize: 20_000, dimension: 256, seed: 1)
/// let x = try embedding.forward(ids)                  // ids.count × 256
/// embedding.backward(xGradient)                       // adds to the gradients
/// embedding.update(with: optimizer)
/// embedding.zeroGradients()
/// ```
///
/// **State.** The layer tells the optimizer that its table is an embedding: every optimizer of this package keeps the
/// table's moments in 32 bits, and its report says "embedding table". `sizeRule.setMinimumCount(0, for:
/// "embedding.weight")` before the first update overrides that.
///
/// **Rows.** A step moves the rows that a token has touched since ``zeroGradients()``, and no others: not by momentum and
/// not by weight decay. The state of the others waits as well, as in PyTorch's SparseAdam, while the step count of bias
/// correction is the table's. With low-bit state, rows that share a block with a touched row keep their parameters bit for
/// bit, but their moments are rounded again with it, and may drift when the block's scale changes; in a dimension that is a
/// multiple of the block size no rows share a block. The padding row has no gradient and never moves.
///
/// **Memory.** 4 bytes for each element of the table and 4 for its gradient, 5 a row, and about 50 for each position of the
/// last pass; in the optimizer 8 bytes an element with Adam, 4 with Momentum.
///
/// **When not to use it.** With pretrained weights of a model that has no normalization after its embedding: the layer
/// changes the model's output. Keep the plain embedding there, and give its updates ``ParameterRole/embedding``.
///
/// Results have the same bits for any number of threads. The layer is used from one thread at a time.
public final class StableEmbedding {
  /// Rows of the table.
  public let vocabularySize: Int
  /// Columns of the table.
  public let dimension: Int
  /// The id whose row has no gradient; nil for none. Its output is normalised like any other.
  public let paddingIndex: Int?
  /// What the keys of the layer's parameters start with: "name.weight", "name.gain", "name.bias".
  public let name: String

  /// The table, row by row: `vocabularySize` × `dimension`.
  public var weight: [Float] { didSet { checkCount("weight", weight.count, vocabularySize * dimension) } }
  /// The factor of each column: `dimension`, 1 at first.
  public var gain: [Float] { didSet { checkCount("gain", gain.count, dimension) } }
  /// The term of each column: `dimension`, 0 at first.
  public var bias: [Float] { didSet { checkCount("bias", bias.count, dimension) } }

  /// Threads that a pass may use: all cores at first. The result does not depend on it.
  public var threadCount = ProcessInfo.processInfo.activeProcessorCount {
    didSet { if threadCount < 1 { fatalError("threadCount \(threadCount) is not positive") } }
  }

  /// The sum of the table's gradients since ``zeroGradients()``: `vocabularySize` × `dimension`.
  public internal(set) var weightGradient: [Float]
  /// The sum of the gain's gradients since ``zeroGradients()``: `dimension`.
  public internal(set) var gainGradient: [Float]
  /// The sum of the bias's gradients since ``zeroGradients()``: `dimension`.
  public internal(set) var biasGradient: [Float]

  /// The rows that hold a gradient.
  let touchedRows: RowSelection
  /// The ids of the last forward pass, and the statistics of the row at each position.
  var ids: [Int] = []
  var statistics: [LayerNormalization.Statistics] = []
  var groups: PositionGroups

  /// A layer with a new table.
  ///
  /// - Parameters:
  ///   - paddingIndex: the id whose row starts as zero and stays so; nil for none.
  ///   - seed: determines the table.
  ///   - name: what the keys of the layer's parameters start with.
  public convenience init(
    vocabularySize: Int, dimension: Int, paddingIndex: Int? = nil, seed: UInt64 = 0, name: String = "embedding"
  ) {
    guard vocabularySize > 0, dimension > 0 else {
      fatalError("\(name): a table of \(vocabularySize) × \(dimension) is empty")
    }
    var weight = XavierUniform.matrix(rows: vocabularySize, columns: dimension, seed: seed)
    if let row = paddingIndex, (0..<vocabularySize).contains(row) {
      for index in row * dimension..<(row + 1) * dimension { weight[index] = 0 }
    }
    self.init(weight: weight, dimension: dimension, paddingIndex: paddingIndex, name: name)
  }

  /// A layer with a given table, taken as it is: the padding row too.
  ///
  /// - Parameters:
  ///   - weight: the table, row by row; its size is a multiple of `dimension`.
  ///   - gain: `dimension` elements; nil for 1.
  ///   - bias: `dimension` elements; nil for 0.
  public init(
    weight: [Float], dimension: Int, gain: [Float]? = nil, bias: [Float]? = nil, paddingIndex: Int? = nil,
    name: String = "embedding"
  ) {
    guard dimension > 0, !weight.isEmpty, weight.count % dimension == 0 else {
      fatalError("\(name).weight: \(weight.count) elements are no rows of \(dimension)")
    }
    vocabularySize = weight.count / dimension
    self.dimension = dimension
    self.paddingIndex = paddingIndex
    self.name = name
    self.weight = weight
    self.gain = gain ?? [Float](repeating: 1, count: dimension)
    self.bias = bias ?? [Float](repeating: 0, count: dimension)
    weightGradient = [Float](repeating: 0, count: weight.count)
    gainGradient = [Float](repeating: 0, count: dimension)
    biasGradient = gainGradient
    touchedRows = RowSelection(rowCount: vocabularySize, rowLength: dimension)
    groups = PositionGroups(vocabularySize: vocabularySize)
    checkCount("gain", self.gain.count, dimension)
    checkCount("bias", self.bias.count, dimension)
    if let row = paddingIndex, !(0..<vocabularySize).contains(row) {
      fatalError("\(name): paddingIndex \(row) is not in 0..<\(vocabularySize)")
    }
  }

  func checkCount(_ what: String, _ count: Int, _ expected: Int) {
    if count != expected { fatalError("\(name).\(what) has \(count) elements, not \(expected)") }
  }
}
