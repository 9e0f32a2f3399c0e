import Foundation

/// Says of any bytes whether they are a checkpoint that an optimizer must accept.
///
/// Written from the format's description, not from the reader: it goes through the rules one by one, on small files and
/// without regard for speed.
struct CheckpointOracle {
  typealias Refusal = OracleRefusal

  struct Content {
    var tensors: [String: [UInt8]] = [:]
    var steps: [String: Int] = [:]
    var learningRate: Float = 0
  }

  /// "adam", "adamw" or "momentum", and the formats' names.
  var rule: String
  var formats: [String]
  var converting = false

  func content(of file: [UInt8]) -> Result<Content, Refusal> {
    oracleVerdict {
      let file = try OracleFile(file)
      return try checkState(file.metadata, file.tensors, file.types)
    }
  }

  // MARK: - The optimizer's state

  private static let scalars: [String: [(name: String, isSound: @Sendable (Double) -> Bool)]] = {
    let fraction: @Sendable (Double) -> Bool = { $0 >= 0 && $0 < 1 }
    let finite: @Sendable (Double) -> Bool = { $0 >= 0 && $0 <= Double(Float.greatestFiniteMagnitude) }
    let positive: @Sendable (Double) -> Bool = { finite($0) && $0 >= 1e-30 }
    let adam = [("beta1", fraction), ("beta2", fraction), ("epsilon", positive), ("weight_decay", finite)]
    let share: @Sendable (Double) -> Bool = { $0 >= 0 && $0 <= 1 }
    return [
      "adam": adam, "adamw": adam,
      "momentum": [("momentum", fraction), ("dampening", share), ("weight_decay", finite)],
    ]
  }()

  private func checkState(
    _ metadata: [String: String], _ tensors: [String: [UInt8]], _ types: [String: String]
  ) throws -> Content {
    var content = Content()
    try require(metadata["format"] == "LowBitOptimizers state", "format")
    try require(Int(metadata["format_version"] ?? "") == 1, "version")
    try require(metadata["rule"] == rule, "rule")
    try requireChecksum(of: metadata)
    let rate = try number(metadata["learning_rate"]) { Float($0) }
    try require(rate >= 0 && rate < .infinity, "learning rate")
    content.learningRate = rate
    for (name, isSound) in Self.scalars[rule]! {
      try require(isSound(try number(metadata["hyperparameter/\(name)"]) { Double($0) }), name)
    }
    let flag = rule == "momentum" ? "nesterov" : "bias_correction"
    try require(["true", "false"].contains(metadata["hyperparameter/\(flag)"]), flag)
    if let seed = metadata["seed"] { try require((UInt64(seed) ?? 0) > 0, "seed") }
    let (_, own) = try stateFormats(
      fields(
        metadata["formats"], ["block", "first"] + (formats.count == 2 ? ["second"] : []), optional: ["matrix_block"]))
    try require(converting || own.map(\.name) == formats, "precision")
    try require(Int(metadata["minimum_count"] ?? "") != nil, "minimum count")

    var known = Set(
      ["format", "format_version", "rule", "checksum", "learning_rate", "seed", "formats", "minimum_count"]
        + Self.scalars[rule]!.map { "hyperparameter/\($0.name)" } + ["hyperparameter/\(flag)"])
    var named: Set<String> = []
    for (name, value) in metadata {
      let bytes = Array(name.utf8)
      if bytes.starts(with: Array("minimum_count/".utf8)) {
        try require(Int(value) != nil, "minimum count")
        known.insert(name)
      }
      guard bytes.starts(with: Array("parameter/".utf8)) else { continue }
      known.insert(name)
      let key = String(decoding: bytes[10...], as: UTF8.self)
      named.formUnion(try checkParameter(key, value, own, tensors, types, &content))
    }
    try require(Set(metadata.keys).isSubset(of: known), "unknown metadata")
    try require(named == Set(tensors.keys), "unknown tensor")
    return content
  }

  private func checkParameter(
    _ key: String, _ line: String, _ own: [OracleFormat], _ tensors: [String: [UInt8]], _ types: [String: String],
    _ content: inout Content
  ) throws -> [String] {
    let values = try fields(
      line, ["count", "step", "role", "reason", "block", "first"] + (formats.count == 2 ? ["second"] : []),
      optional: ["first_block", "shape", "checksum"])
    let count = try unwrap(Int(values["count"]!), "count")
    let step = try unwrap(Int(values["step"]!), "step")
    try require((0...281_474_976_710_656).contains(count) && (0...9_007_199_254_740_992).contains(step), "range")
    let (block, stored) = try stateFormats(values)
    let is32Bit = stored.allSatisfy { $0.name == "float32" }
    let isOwn = zip(stored, own).allSatisfy {
      $0.name == $1.name || $0.name + "-rankOne" == $1.name || ($0.name == "linear4Unsigned" && $1.name == "factored")
    }
    try require(is32Bit || isOwn, "formats of a parameter")
    let reason = values["reason"]!
    try require(["weight", "embedding"].contains(values["role"]), "role")
    let small = reason.hasPrefix("smaller-than-") ? Int(reason.dropFirst(13)) : nil
    try require(
      small != nil || ["float32-optimizer", "by-request", "embedding", "low-bits"].contains(reason), "reason")
    try require(is32Bit == (reason != "low-bits"), "reason and formats")
    try require(values["role"] == "weight" || stored.last!.name != "factored", "means of an embedding")
    let firstBlock = try values["first_block"].map { try unwrap(Int($0), "first block") }
    try require(firstBlock.map { (1...281_474_976_710_656).contains($0) } ?? true, "first block")
    let shape = try values["shape"].map { try self.shape($0, of: count) }

    var parts: [String] = []
    for (index, format) in stored.enumerated() {
      for part in format.parts {
        let name = "\(key).\(part)\(index + 1)"
        parts.append(name)
        content.tensors[name] = try unwrap(tensors[name], "missing")
      }
      func tensor(_ part: String) -> OracleTensor? {
        let name = "\(key).\(part)\(index + 1)"
        return tensors[name].map { OracleTensor(type: types[name]!, bytes: $0) }
      }
      try format.check(count: count, block: block, shape: shape, isSecond: index == 1, tensor)
    }
    if let checksum = values["checksum"] {
      let small = small.map { "smaller-than-\($0)" } ?? reason
      var text = "count=\(count) step=\(step) role=\(values["role"]!) reason=\(small) block=\(block)"
      for (name, format) in zip(["first", "second"], stored) { text += " \(name)=\(format.name)" }
      if let firstBlock { text += " first_block=\(firstBlock)" }
      if let shape { text += " shape=" + shape.map { "\($0)" }.joined(separator: "x") }
      let bytes = Array("\(key)\0\(text)\0".utf8) + parts.flatMap { tensors[$0]! }
      try require(checksum == oracleCRC(bytes), "checksum of a parameter")
    }
    content.steps[key] = step
    return parts
  }

  private func shape(_ text: String, of count: Int) throws -> [Int] {
    let shape = try text.components(separatedBy: "x").map { part in
      try require(!part.isEmpty && part.utf8.allSatisfy { Array("0123456789".utf8).contains($0) }, "shape")
      return try unwrap(Int(part), "shape")
    }
    let product = shape.contains(0) ? 0 : shape.prefix(100).reduce(Decimal(1)) { $0 * Decimal($1) }
    try require(shape.count <= 32 && product == Decimal(count), "shape")
    return shape
  }

  private func number<Value: BinaryFloatingPoint>(_ text: String?, _ parse: (Substring) -> Value?) throws -> Value {
    let text = try unwrap(text, "missing number")
    try require(text.utf8.count <= 64 && text.utf8.allSatisfy { Array("0123456789+-.eE".utf8).contains($0) }, "number")
    return try unwrap(parse(Substring(text)), "number")
  }

  /// - Parameter optional: those that may be missing, in the order that they have where they are not.
  private func fields(
    _ line: String?, _ names: [String], optional: [String] = []
  ) throws -> [String: String] {
    var parts = try unwrap(line, "missing").components(separatedBy: " ")
    var values: [String: String] = [:]
    for name in names + optional {
      guard let part = parts.first, part.hasPrefix(name + "=") else {
        try require(optional.contains(name), "field \(name)")
        continue
      }
      values[name] = String(part.dropFirst(name.count + 1))
      parts.removeFirst()
    }
    try require(parts.isEmpty, "fields of a line")
    return values
  }

  private func stateFormats(_ values: [String: String]) throws -> (block: Int, formats: [OracleFormat]) {
    let block = try unwrap(Int(values["block"]!), "block")
    try require(block >= 64 && block <= 4096, "block size")
    let names = [values["first"]!] + (formats.count == 2 ? [values["second"]!] : [])
    if let text = values["matrix_block"] {
      let block = try unwrap(Int(text), "block of matrices")
      try require(block >= 64 && block <= 4096, "block size of matrices")
      for (index, name) in names.enumerated() { _ = try OracleFormat(name, block: block, isSecond: index == 1) }
    }
    return (block, try names.enumerated().map { try OracleFormat($1, block: block, isSecond: $0 == 1) })
  }
}
