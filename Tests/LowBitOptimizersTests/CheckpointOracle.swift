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
    let (_, own) = try stateFormats(
      fields(metadata["formats"], ["block", "first"] + (formats.count == 2 ? ["second"] : [])))
    try require(converting || own == formats, "precision")
    try require(Int(metadata["minimum_count"] ?? "") != nil, "minimum count")

    var known = Set(
      ["format", "format_version", "rule", "checksum", "learning_rate", "formats", "minimum_count"]
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
    content.tensors = tensors
    return content
  }

  private func checkParameter(
    _ key: String, _ line: String, _ own: [String], _ tensors: [String: [UInt8]], _ types: [String: String],
    _ content: inout Content
  ) throws -> [String] {
    let names = ["count", "step", "role", "reason", "block", "first"] + (formats.count == 2 ? ["second"] : [])
    let hasChecksum = line.components(separatedBy: " ").count > names.count
    let values = try fields(line, names + (hasChecksum ? ["checksum"] : []))
    let count = try unwrap(Int(values["count"]!), "count")
    let step = try unwrap(Int(values["step"]!), "step")
    try require((0...281_474_976_710_656).contains(count) && (0...9_007_199_254_740_992).contains(step), "range")
    let (block, stored) = try stateFormats(values)
    let is32Bit = stored.allSatisfy { $0 == "float32" }
    try require(is32Bit || stored == own, "formats of a parameter")
    let reason = values["reason"]!
    try require(["weight", "embedding"].contains(values["role"]), "role")
    let small = reason.hasPrefix("smaller-than-") ? Int(reason.dropFirst(13)) : nil
    try require(
      small != nil || ["float32-optimizer", "by-request", "embedding", "low-bits"].contains(reason), "reason")
    try require(is32Bit == (reason != "low-bits"), "reason and formats")

    var parts: [String] = []
    for (index, format) in stored.enumerated() {
      let state = "\(key).state\(index + 1)"
      let bytes = try unwrap(tensors[state], "missing")
      parts.append(state)
      if format == "float32" {
        try require(types[state] == "F32" && bytes.count == 4 * count, "float32 state")
        for value in oracleFloats(bytes) {
          try require(index == 0 ? value.isFinite : value >= 0, "value of a moment")
        }
      } else {
        let bits = (index == 0 ? Self.firstBits : Self.secondBits)[format]!
        try require(types[state] == "U8" && bytes.count == (bits == 8 ? count : count / 2 + count % 2), "codes")
        if bits == 4 && count % 2 == 1 { try require(bytes.last! < 16, "padding") }
        let scaleName = "\(key).absmax\(index + 1)"
        let scales = try unwrap(tensors[scaleName], "missing")
        let blocks = count / block + (count % block > 0 ? 1 : 0)
        try require(types[scaleName] == "F32" && scales.count == 4 * blocks, "scales")
        let isSigned = format.hasSuffix("-signedExtreme")
        try require(oracleFloats(scales).allSatisfy { $0.isFinite && (isSigned || $0 >= 0) }, "scale")
        parts.append(scaleName)
      }
    }
    if let checksum = values["checksum"] {
      let small = small.map { "smaller-than-\($0)" } ?? reason
      var text = "count=\(count) step=\(step) role=\(values["role"]!) reason=\(small) block=\(block) first=\(stored[0])"
      if stored.count == 2 { text += " second=\(stored[1])" }
      let bytes = Array("\(key)\0\(text)\0".utf8) + parts.flatMap { tensors[$0]! }
      try require(checksum == oracleCRC(bytes), "checksum of a parameter")
    }
    content.steps[key] = step
    return parts
  }

  private func number<Value: BinaryFloatingPoint>(_ text: String?, _ parse: (Substring) -> Value?) throws -> Value {
    let text = try unwrap(text, "missing number")
    try require(text.utf8.count <= 64 && text.utf8.allSatisfy { Array("0123456789+-.eE".utf8).contains($0) }, "number")
    return try unwrap(parse(Substring(text)), "number")
  }

  private func fields(_ line: String?, _ names: [String]) throws -> [String: String] {
    let parts = try unwrap(line, "missing").components(separatedBy: " ")
    try require(parts.count == names.count, "fields of a line")
    var values: [String: String] = [:]
    for (part, name) in zip(parts, names) {
      try require(part.hasPrefix(name + "="), "field \(name)")
      values[name] = String(part.dropFirst(name.count + 1))
    }
    return values
  }

  private func stateFormats(_ values: [String: String]) throws -> (block: Int, names: [String]) {
    let block = try unwrap(Int(values["block"]!), "block")
    try require(block >= 64 && block <= 4096, "block size")
    try require(values["first"] == "float32" || Self.firstBits[values["first"]!] != nil, "first format")
    try require(Self.firstBits[values["first"]!] != 4 || block % 2 == 0, "odd block")
    guard formats.count == 2 else { return (block, [values["first"]!]) }
    try require(values["second"] == "float32" || Self.secondBits[values["second"]!] != nil, "second format")
    try require(Self.secondBits[values["second"]!] != 4 || block % 2 == 0, "odd block")
    return (block, [values["first"]!, values["second"]!])
  }

  private static let firstBits = [
    "dynamic8": 8, "dynamic8-signedExtreme": 8, "dynamic4": 4, "dynamic4-signedExtreme": 4, "normalFloat4": 4,
  ]
  private static let secondBits = ["dynamic8Unsigned": 8, "linear4Unsigned": 4]
}
