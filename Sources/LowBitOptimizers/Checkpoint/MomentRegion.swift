import BlockQuantization
internal import TileKernels

/// A piece of a moment's memory as checkpoints store it, in the tensor `<key>.<name><1 or 2>`.
///
/// A format says here which pieces it has and what they may hold; saving, restoring and slicing then work by themselves.
struct MomentRegion: Hashable {
  enum Content: Hashable {
    /// float32, all within the range.
    case floats(ClosedRange<Float>)
    /// Codes of so many bits, packed from the low end; the bits after the last are zero.
    case codes(bits: Int)
  }

  let name: String
  let content: Content
  /// Floats, or codes.
  let count: Int
  /// How many of them belong to one block, if the region can be cut between blocks.
  let countPerBlock: Int?

  var type: SafetensorsType {
    switch content {
    case .floats: .f32
    case .codes: .u8
    }
  }

  var byteCount: Int { byteCount(of: count) }

  private func byteCount(of count: Int) -> Int {
    switch content {
    case .floats: 4 * count
    case .codes(let bits): count / 8 * bits + (count % 8 * bits + 7) / 8
    }
  }

  /// Elements of the tensor that the file holds.
  var elementCount: Int { type == .f32 ? count : byteCount }

  /// The bytes of these blocks; nil if the region cannot be cut there.
  func byteRange(ofBlocks blocks: Range<Int>) -> Range<Int>? {
    guard let countPerBlock else { return nil }
    return byteCount(
      of: min(blocks.lowerBound * countPerBlock, count))..<byteCount(of: min(blocks.upperBound * countPerBlock, count))
  }

  /// What is wrong with the region's bytes, which are aligned, and at which element; nil if nothing is.
  func firstProblem(in bytes: UnsafeRawBufferPointer) -> (index: Int, problem: String)? {
    switch content {
    case .floats(let range):
      return Self.firstProblem(in: bytes.assumingMemoryBound(to: Float.self), range)
    case .codes(let bits):
      let usedBits = (count % 8 * bits) % 8
      if usedBits != 0, let last = bytes.last, last >> usedBits != 0 {
        return (bytes.count - 1, "the bits after the last code are not zero")
      }
    }
    return nil
  }

  /// The first value that is not in the range.
  static func firstProblem(
    in floats: UnsafeBufferPointer<Float>,
    _ range: ClosedRange<Float> = -Float.greatestFiniteMagnitude ... .greatestFiniteMagnitude
  ) -> (index: Int, problem: String)? {
    let (low, high) = (range.lowerBound, range.upperBound)
    for index in 0..<floats.count where !(floats[index] >= low && floats[index] <= high) {
      return (index, "\(floats[index]) is not between \(low) and \(high)")
    }
    return nil
  }
}

extension MomentFormat {
  /// The format's name in checkpoints. The block size is kept beside it.
  var identifier: String {
    switch self {
    case .float32: "float32"
    case .blocks(let quantizer):
      quantizer.codebook.name + (quantizer.scaleRule == .absmax ? "" : "-\(quantizer.scaleRule.rawValue)")
    case .rankOne(let codebook): codebook.name + "-rankOne"
    case .logarithmic(let quantizer): quantizer.identifier
    case .factored: "factored"
    }
  }

  /// What its codes stand for; nil for float32, for means, and for levels that each block has of its own.
  var codebook: Codebook? {
    switch self {
    case .float32: nil
    case .blocks(let quantizer): quantizer.codebook
    case .rankOne(let codebook): codebook
    case .logarithmic, .factored: nil
    }
  }

  /// - Parameter blockSize: from 64 to 4096.
  init?(identifier: String, blockSize: Int) {
    var formats: [MomentFormat] = [.float32]
    // Codes must not share a byte with those of the next block.
    for codebook in Self.codebooks where blockSize * codebook.bits % 8 == 0 {
      for scaleRule in Self.scaleRules(codebook) {
        formats.append(.blocks(BlockQuantizer(codebook, blockSize: blockSize, scaleRule: scaleRule)))
      }
      if codebook.bits == 4 { formats.append(.rankOne(codebook)) }
    }
    // For parameters in blocks, whose codes have 4 bits.
    if blockSize % 2 == 0 { formats.append(.factored) }
    for bits in 2...4 where blockSize * bits % 8 == 0 {
      formats.append(.logarithmic(LogarithmicQuantizer(bits: bits, blockSize: blockSize, quantile: .fast)))
      if let p = Self.quantile(identifier, bits: bits) {
        formats.append(.logarithmic(LogarithmicQuantizer(bits: bits, blockSize: blockSize, quantile: .exact(p))))
      }
    }
    guard let format = formats.first(where: { $0.identifier == identifier }) else { return nil }
    self = format
  }

  /// Those that a moment can be stored with. A file names one of them and never brings its own.
  private static let codebooks: [Codebook] = [
    .dynamic8, .dynamic8Unsigned, .dynamic4, .normalFloat4, .linear4Unsigned, .dynamic3, .dynamic2,
  ]

  /// The p of "logarithmic2-quantile0.1".
  private static func quantile(_ identifier: String, bits: Int) -> Double? {
    let prefix = "logarithmic\(bits)-quantile"
    guard identifier.hasPrefix(prefix), let p = Double(identifier.dropFirst(prefix.count)) else { return nil }
    return (0...1).contains(p) ? p : nil
  }

  private static func scaleRules(_ codebook: Codebook) -> [ScaleRule] {
    codebook.isSigned ? [.absmax, .signedExtreme] : [.absmax]
  }

  /// A first moment has either sign. A second moment is never negative; in float32 it may have overflowed to infinity,
  /// which holds its parameter still and harms nothing else.
  func regions(count: Int, shape: [Int]?, blockSize: Int, isSecond: Bool) -> [MomentRegion] {
    let greatest = Float.greatestFiniteMagnitude
    switch self {
    case .float32:
      return [
        MomentRegion(
          name: "state", content: .floats(isSecond ? 0 ... .infinity : -greatest...greatest), count: count,
          countPerBlock: blockSize)
      ]
    case .blocks(let quantizer):
      return [
        MomentRegion(
          name: "state", content: .codes(bits: quantizer.codebook.bits), count: count, countPerBlock: blockSize),
        MomentRegion(
          name: "absmax", content: .floats(quantizer.scaleRule == .absmax ? 0...greatest : -greatest...greatest),
          count: quantizer.blockCount(of: count), countPerBlock: 1),
      ]
    case .rankOne(let codebook):
      return [
        MomentRegion(name: "state", content: .codes(bits: codebook.bits), count: count, countPerBlock: nil),
        MomentRegion(
          name: "absmax", content: .floats(0...greatest), count: (shape ?? []).reduce(0, +), countPerBlock: nil),
      ]
    case .logarithmic(let quantizer):
      let blockCount = quantizer.blockCount(of: count)
      return [
        MomentRegion(name: "state", content: .codes(bits: quantizer.bits), count: count, countPerBlock: blockSize),
        MomentRegion(name: "absmax", content: .floats(0...greatest), count: blockCount, countPerBlock: 1),
        MomentRegion(
          name: "base", content: .floats(.leastNormalMagnitude...1), count: blockCount, countPerBlock: 1),
      ]
    case .factored:
      let matrices = MatrixShape(of: shape!)
      return [
        MomentRegion(name: "rows", content: .floats(0...greatest), count: matrices.allRows, countPerBlock: nil),
        MomentRegion(name: "columns", content: .floats(0...greatest), count: matrices.allColumns, countPerBlock: nil),
      ]
    }
  }
}

extension MomentStorage {
  /// The memory of the format's regions, in their order.
  var regionMemory: [UnsafeMutableRawBufferPointer] {
    switch content {
    case .floats(let floats): [UnsafeMutableRawBufferPointer(floats)]
    case .blocks(let tensor): tensor.storage.regions
    case .rankOne(let moment): moment.storage.regions
    case .logarithmic(let tensor): tensor.storage.regions + [UnsafeMutableRawBufferPointer(tensor.storage.bases)]
    case .factored(let storage):
      [UnsafeMutableRawBufferPointer(storage.rowMeans), UnsafeMutableRawBufferPointer(storage.columnMeans)]
    }
  }

  /// Takes over the codes and scales of a moment of the same format.
  func copy(_ source: MomentStorage) {
    precondition(source.format == format)
    for (target, source) in zip(regionMemory, source.regionMemory) { target.copyMemory(from: .init(source)) }
  }

  /// Takes over another moment's values, encoded anew if that has another format.
  ///
  /// - Parameter numbers: for formats that round stochastically.
  func convert(from source: MomentStorage, drawing numbers: BlockRandomNumbers) {
    precondition(source.count == count)
    if source.format == format {
      copy(source)
    } else if case .blocks(let tensor) = source.content, case .floats(let floats) = content {
      tensor.decode(into: floats)
    } else if case .floats(let floats) = source.content, case .blocks(let tensor) = content {
      tensor.quantizer.encode(
        UnsafeBufferPointer(floats), codes: tensor.storage.codes, scales: tensor.storage.scales)
    } else {
      encode(source.decoded(), drawing: numbers)
    }
  }
}

extension LogarithmicQuantizer {
  /// The quantizer's name in checkpoints.
  fileprivate var identifier: String {
    switch quantileRule {
    case .fast: "logarithmic\(bits)"
    // Adding 0 turns −0 into 0, which is the same quantile.
    case .exact(let p): "logarithmic\(bits)-quantile\(p + 0)"
    }
  }
}

extension QuantizedStorage {
  fileprivate var regions: [UnsafeMutableRawBufferPointer] {
    [UnsafeMutableRawBufferPointer(codes), UnsafeMutableRawBufferPointer(scales)]
  }
}

/// A region of a parameter's state, with the number of its moment and its memory.
struct StateRegion {
  let region: MomentRegion
  let moment: Int
  let memory: UnsafeMutableRawBufferPointer

  func tensorName(_ key: ParameterKey) -> String { "\(key).\(region.name)\(moment)" }
}

extension StateFormats {
  /// All regions of a state with these formats: those of the first moment, then those of the second.
  func regions(count: Int, shape: [Int]?) -> [(region: MomentRegion, moment: Int)] {
    let first = first.regions(count: count, shape: shape, blockSize: blockSize, isSecond: false)
    let second = second?.regions(count: count, shape: shape, blockSize: blockSize, isSecond: true) ?? []
    return first.map { ($0, 1) } + second.map { ($0, 2) }
  }
}

extension ParameterState {
  var regions: [StateRegion] {
    zip(formats.regions(count: count, shape: shape), first.regionMemory + (second?.regionMemory ?? [])).map {
      StateRegion(region: $0.region, moment: $0.moment, memory: $1)
    }
  }
}
