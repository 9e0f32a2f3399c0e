import Foundation

/// Says of any bytes whether they are a checkpoint that an optimizer must accept.
///
/// Written from the format's description, not from the reader: it parses any JSON into a tree and then goes through the
/// rules one by one, on small files and without regard for speed.
struct CheckpointOracle {
  struct Refusal: Error { var reason: String }

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
    do { return .success(try check(file)) } catch { return .failure(error as! Refusal) }
  }

  private func require(_ condition: Bool, _ reason: String) throws {
    if !condition { throw Refusal(reason: reason) }
  }

  private func unwrap<Value>(_ value: Value?, _ reason: String) throws -> Value {
    guard let value else { throw Refusal(reason: reason) }
    return value
  }

  // MARK: - safetensors

  private func check(_ file: [UInt8]) throws -> Content {
    try require(file.count >= 8, "no length")
    let length = file[..<8].reversed().reduce(Decimal(0)) { $0 * 256 + Decimal(Int($1)) }
    try require(length <= Decimal(100_000_000) && length <= Decimal(file.count - 8), "length")
    let end = 8 + NSDecimalNumber(decimal: length).intValue
    let header = Array(file[8..<end])
    try require(header.first == 0x7b, "first byte")
    let text = try unwrap(String(data: Data(header), encoding: .utf8), "UTF-8")
    var parser = TreeParser(text)
    guard let tree = parser.parse() else { throw Refusal(reason: "JSON") }
    guard case .object(let members) = tree else { throw Refusal(reason: "no object") }

    var metadata: [String: String] = [:]
    var spans: [String: Range<Int>] = [:]
    var types: [String: String] = [:]
    for (name, value) in members {
      guard case .object(let fields) = value else { throw Refusal(reason: "tensor is no object") }
      if name == "__metadata__" {
        for (name, value) in fields {
          guard case .string(let text) = value else { throw Refusal(reason: "metadata") }
          metadata[name] = text
        }
        continue
      }
      try require(fields.map(\.0).sorted() == ["data_offsets", "dtype", "shape"], "fields")
      let field = Dictionary(uniqueKeysWithValues: fields)
      guard case .string(let type) = field["dtype"]!, let bits = Self.bits[type] else { throw Refusal(reason: "dtype") }
      let shape = try integers(field["shape"]!)
      let offsets = try integers(field["data_offsets"]!)
      try require(offsets.count == 2 && offsets[0] <= offsets[1], "offsets")
      try require(shape.count <= 8 && shape.allSatisfy { $0 < 281_474_976_710_656 }, "shape")
      var total = Decimal(1)
      for dimension in shape {
        total *= Decimal(dimension)
        try require(total <= Decimal(Int.max), "overflow")
      }
      let bitCount = total * Decimal(bits)
      try require(bitCount == Decimal(offsets[1] - offsets[0]) * 8, "size")
      spans[name] = offsets[0]..<offsets[1]
      types[name] = type
    }
    let data = Array(file[end...])
    var covered = [Int](repeating: 0, count: data.count)
    for span in spans.values {
      try require(span.upperBound <= data.count, "beyond the end")
      for byte in span { covered[byte] += 1 }
    }
    try require(covered.allSatisfy { $0 == 1 }, "tiling")
    let borders = Set([0] + spans.values.map(\.upperBound))
    try require(spans.values.allSatisfy { borders.contains($0.lowerBound) }, "empty tensor out of place")
    return try checkState(metadata, spans.mapValues { Array(data[$0]) }, types)
  }

  private static let bits = [
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "C64": 64, "F64": 64, "I64": 64, "U64": 64,
  ]

  private func integers(_ value: TreeParser.Value) throws -> [Int] {
    guard case .array(let elements) = value else { throw Refusal(reason: "no array") }
    return try elements.map { element in
      guard case .number(let text) = element, text == "0" || !text.hasPrefix("0"),
        text.allSatisfy({ "0123456789".contains($0) }), let value = Int(text), value <= 9_007_199_254_740_992
      else { throw Refusal(reason: "no whole number") }
      return value
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
    if let checksum = metadata["checksum"] {
      let fields = metadata.filter { $0.key != "checksum" }.map { (Array($0.key.utf8), Array($0.value.utf8)) }
        .sorted { $0.0.lexicographicallyPrecedes($1.0) }
      try require(checksum == Self.crc(fields.flatMap { $0.0 + [0] + $0.1 + [0] }), "metadata checksum")
    }
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
        for value in Self.floats(bytes) {
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
        try require(Self.floats(scales).allSatisfy { $0.isFinite && (isSigned || $0 >= 0) }, "scale")
        parts.append(scaleName)
      }
    }
    if let checksum = values["checksum"] {
      let small = small.map { "smaller-than-\($0)" } ?? reason
      var text = "count=\(count) step=\(step) role=\(values["role"]!) reason=\(small) block=\(block) first=\(stored[0])"
      if stored.count == 2 { text += " second=\(stored[1])" }
      let bytes = Array("\(key)\0\(text)\0".utf8) + parts.flatMap { tensors[$0]! }
      try require(checksum == Self.crc(bytes), "checksum of a parameter")
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
    "dynamic8": 8, "dynamic8-signedExtreme": 8, "dynamic4": 4, "dynamic4-signedExtreme": 4,
  ]
  private static let secondBits = ["dynamic8Unsigned": 8, "linear4Unsigned": 4]

  private static func floats(_ bytes: [UInt8]) -> [Float] {
    stride(from: 0, to: bytes.count, by: 4).map { start in
      Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) })
    }
  }

  /// Bit by bit, as the definition has it.
  static func crc(_ bytes: [UInt8]) -> String {
    var rest: UInt32 = .max
    for byte in bytes {
      for bit in 0..<8 {
        let carry = (rest ^ UInt32(byte >> bit)) & 1
        rest = (rest >> 1) ^ (carry * 0xedb8_8320)
      }
    }
    return String(format: "%08x", ~rest)
  }
}

/// Any JSON as a tree; nil where it is none. Numbers stay text, and an object with a name twice is refused.
struct TreeParser {
  indirect enum Value {
    case object([(String, Value)])
    case array([Value])
    case string(String)
    case number(String)
    case other
  }

  private let scalars: [Unicode.Scalar]
  private var index = 0

  init(_ text: String) { scalars = Array(text.unicodeScalars) }

  mutating func parse() -> Value? {
    guard let value = value(depth: 0) else { return nil }
    space()
    return index == scalars.count ? value : nil
  }

  private var next: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

  private mutating func space() {
    while let next, " \n\r\t".unicodeScalars.contains(next) { index += 1 }
  }

  private mutating func consume(_ scalar: Unicode.Scalar) -> Bool {
    space()
    guard next == scalar else { return false }
    index += 1
    return true
  }

  private mutating func value(depth: Int) -> Value? {
    guard depth < 8 else { return nil }
    space()
    switch next {
    case "{": return object(depth)
    case "[": return array(depth)
    case "\"": return string().map { .string($0) }
    default:
      var text = ""
      while let next, "+-.0123456789aeflnrstuE".unicodeScalars.contains(next) {
        text.unicodeScalars.append(next)
        index += 1
      }
      if text.isEmpty { return nil }
      return ["true", "false", "null"].contains(text) ? .other : .number(text)
    }
  }

  private mutating func object(_ depth: Int) -> Value? {
    index += 1
    var members: [(String, Value)] = []
    if consume("}") { return .object([]) }
    repeat {
      space()
      guard next == "\"", let name = string(), consume(":"), let value = value(depth: depth + 1) else { return nil }
      guard !members.contains(where: { $0.0 == name }) else { return nil }
      members.append((name, value))
    } while consume(",")
    return consume("}") ? .object(members) : nil
  }

  private mutating func array(_ depth: Int) -> Value? {
    index += 1
    var elements: [Value] = []
    if consume("]") { return .array([]) }
    repeat {
      guard let value = value(depth: depth + 1) else { return nil }
      elements.append(value)
    } while consume(",")
    return consume("]") ? .array(elements) : nil
  }

  /// UTF-16 units, so that escaped surrogate pairs come together by themselves.
  private mutating func string() -> String? {
    index += 1
    var units: [UInt16] = []
    while let scalar = next {
      index += 1
      if scalar == "\"" {
        let text = String(decoding: units, as: UTF16.self)
        return text.utf16.elementsEqual(units) && text.utf8.count <= 65_536 ? text : nil
      }
      if scalar.value < 32 { return nil }
      guard scalar == "\\" else {
        units += Array(String(Character(scalar)).utf16)
        continue
      }
      guard let escape = next else { return nil }
      index += 1
      if escape == "u" {
        guard index + 4 <= scalars.count else { return nil }
        let digits = scalars[index..<index + 4].map { String(Character($0)) }.joined()
        guard digits.utf8.allSatisfy({ $0 != 0x2b && $0 != 0x2d }), let unit = UInt16(digits, radix: 16) else {
          return nil
        }
        units.append(unit)
        index += 4
      } else {
        let plain: [Unicode.Scalar: UInt16] = [
          "\"": 34, "\\": 92, "/": 47, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9,
        ]
        guard let unit = plain[escape] else { return nil }
        units.append(unit)
      }
    }
    return nil
  }
}
