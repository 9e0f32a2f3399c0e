import Foundation

/// A tensor of a file under suspicion.
struct OracleTensor {
  var type: String
  var bytes: [UInt8]
}

/// How one moment is stored, by its name in the format's description.
struct OracleFormat {
  enum Scales { case none, perBlock, perRowAndColumn, logarithmic, means }

  let name: String
  private(set) var bits = 32
  private(set) var scales = Scales.none
  private var isSignedExtreme = false

  init(_ name: String, block: Int, isSecond: Bool) throws {
    self.name = name
    if name == "float32" { return }
    if name == "factored" {
      try require(isSecond && block % 2 == 0, "format")
      scales = .means
      return
    }
    let parts = name.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    let ending = parts.count == 2 ? String(parts[1]) : nil
    let codebooks =
      isSecond
      ? ["dynamic8Unsigned": 8, "linear4Unsigned": 4]
      : ["dynamic8": 8, "dynamic4": 4, "normalFloat4": 4, "dynamic3": 3, "dynamic2": 2]
    if let bits = codebooks[String(parts[0])] {
      self.bits = bits
      isSignedExtreme = ending == "signedExtreme"
      scales = ending == "rankOne" ? .perRowAndColumn : .perBlock
      try require(
        ending == nil || (ending == "rankOne" && bits == 4) || (ending == "signedExtreme" && !isSecond), "format")
    } else {
      let levels = ["logarithmic2": 2, "logarithmic3": 3, "logarithmic4": 4]
      bits = try unwrap(isSecond ? levels[String(parts[0])] : nil, "format")
      scales = .logarithmic
      if let ending { try Self.checkQuantile(ending) }
    }
    try require(block * bits % 8 == 0, "a block that ends within a byte")
  }

  /// "quantile0.1": the shortest text of a number from 0 to 1.
  private static func checkQuantile(_ ending: String) throws {
    try require(ending.hasPrefix("quantile"), "format")
    let text = String(ending.dropFirst(8))
    let number = try unwrap(Double(text), "quantile")
    try require(number >= 0 && number <= 1 && "\(number)" == text && text.first != "-", "quantile")
  }

  /// The tensors' names, without the key and the moment's number.
  var parts: [String] {
    switch scales {
    case .none: ["state"]
    case .perBlock, .perRowAndColumn: ["state", "absmax"]
    case .logarithmic: ["state", "absmax", "base"]
    case .means: ["rows", "columns"]
    }
  }

  func check(
    count: Int, block: Int, shape: [Int]?, isSecond: Bool, _ tensor: (String) -> OracleTensor?
  ) throws {
    if scales == .means { return try checkMeans(count, shape, tensor) }
    let state = try unwrap(tensor("state"), "missing")
    guard scales != .none else {
      let moments = try floats(state, count)
      try require(moments.allSatisfy { isSecond ? $0 >= 0 : $0.isFinite }, "value of a moment")
      return
    }
    try checkCodes(state, count)
    var scaleCount = count / block + (count % block > 0 ? 1 : 0)
    if scales == .perRowAndColumn {
      let shape = try unwrap(shape, "no shape")
      try require(shape.count > 1 && !shape.contains(0), "shape for scales per row and column")
      scaleCount = shape.reduce(0, +)
      try require(count / 8 >= scaleCount, "shape for scales per row and column")
    }
    let values = try floats(try unwrap(tensor("absmax"), "missing"), scaleCount)
    try require(values.allSatisfy { $0.isFinite && (isSignedExtreme || $0 >= 0) }, "scale")
    guard scales == .logarithmic else { return }
    let bases = try floats(try unwrap(tensor("base"), "missing"), scaleCount)
    for (largest, base) in zip(values, bases) {
      try require(base > 0 && base <= 1, "base")
      if largest == 0 {
        try require(base == 1, "base of a block of zeros")
      } else {
        let smallest = (1..<1 << bits).reduce(largest) { level, _ in level * base }
        try require(smallest.isNormal, "level of a logarithmic block")
      }
    }
  }

  /// A mean for each row and column of the matrices that the last two dimensions make.
  private func checkMeans(_ count: Int, _ shape: [Int]?, _ tensor: (String) -> OracleTensor?) throws {
    let shape = try unwrap(shape, "no shape")
    try require(shape.count > 1 && count > 0, "shape for means of rows and columns")
    let (rows, columns) = (shape[shape.count - 2], shape[shape.count - 1])
    try require(Decimal(rows) * Decimal(columns) >= 8 * (Decimal(rows) + Decimal(columns)), "shape for means")
    for (part, meanCount) in [("rows", count / columns), ("columns", count / rows)] {
      let means = try floats(try unwrap(tensor(part), "missing"), meanCount)
      try require(means.allSatisfy { $0.isFinite && $0 >= 0 }, "mean")
    }
  }

  /// Codes without gaps, and zeros after the last.
  private func checkCodes(_ state: OracleTensor, _ count: Int) throws {
    let (whole, rest) = (count / 8 * bits, count % 8 * bits)
    try require(state.type == "U8" && state.bytes.count == whole + (rest + 7) / 8, "codes")
    if rest % 8 != 0 { try require(Int(state.bytes.last!) < 1 << (rest % 8), "padding") }
  }

  private func floats(_ tensor: OracleTensor, _ count: Int) throws -> [Float] {
    try require(tensor.type == "F32" && tensor.bytes.count == 4 * count, "number of float32 values")
    return oracleFloats(tensor.bytes)
  }
}
