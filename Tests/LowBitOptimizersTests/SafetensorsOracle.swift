import Foundation

// What the checkpoint oracles share: safetensors files read without the package, by way of a tree of any JSON.

struct OracleRefusal: Error { var reason: String }

func oracleVerdict<Content>(_ body: () throws -> Content) -> Result<Content, OracleRefusal> {
  do { return .success(try body()) } catch { return .failure(error as! OracleRefusal) }
}

func require(_ condition: Bool, _ reason: String) throws {
  if !condition { throw OracleRefusal(reason: reason) }
}

func unwrap<Value>(_ value: Value?, _ reason: String) throws -> Value {
  guard let value else { throw OracleRefusal(reason: reason) }
  return value
}

/// The checksum over all metadata, which may be missing.
func requireChecksum(of metadata: [String: String]) throws {
  guard let checksum = metadata["checksum"] else { return }
  let fields = metadata.filter { $0.key != "checksum" }.map { (Array($0.key.utf8), Array($0.value.utf8)) }
    .sorted { $0.0.lexicographicallyPrecedes($1.0) }
  try require(checksum == oracleCRC(fields.flatMap { $0.0 + [0] + $0.1 + [0] }), "metadata checksum")
}

func oracleFloats(_ bytes: [UInt8]) -> [Float] {
  stride(from: 0, to: bytes.count, by: 4).map { start in
    Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) })
  }
}

/// Bit by bit, as the definition has it.
func oracleCRC(_ bytes: [UInt8]) -> String {
  var rest: UInt32 = .max
  for byte in bytes {
    for bit in 0..<8 {
      let carry = (rest ^ UInt32(byte >> bit)) & 1
      rest = (rest >> 1) ^ (carry * 0xedb8_8320)
    }
  }
  return String(format: "%08x", ~rest)
}

/// A sound safetensors file, whatever it holds.
struct OracleFile {
  private(set) var metadata: [String: String] = [:]
  private(set) var types: [String: String] = [:]
  let tensors: [String: [UInt8]]

  init(_ file: [UInt8]) throws {
    try require(file.count >= 8, "no length")
    let length = file[..<8].reversed().reduce(Decimal(0)) { $0 * 256 + Decimal(Int($1)) }
    try require(length <= Decimal(100_000_000) && length <= Decimal(file.count - 8), "length")
    let end = 8 + NSDecimalNumber(decimal: length).intValue
    let header = Array(file[8..<end])
    try require(header.first == 0x7b, "first byte")
    let text = try unwrap(String(data: Data(header), encoding: .utf8), "UTF-8")
    var parser = TreeParser(text)
    guard let tree = parser.parse() else { throw OracleRefusal(reason: "JSON") }
    guard case .object(let members) = tree else { throw OracleRefusal(reason: "no object") }

    var spans: [String: Range<Int>] = [:]
    for (name, value) in members {
      guard case .object(let fields) = value else { throw OracleRefusal(reason: "tensor is no object") }
      if name == "__metadata__" {
        for (name, value) in fields {
          guard case .string(let text) = value else { throw OracleRefusal(reason: "metadata") }
          metadata[name] = text
        }
        continue
      }
      try require(fields.map(\.0).sorted() == ["data_offsets", "dtype", "shape"], "fields")
      let field = Dictionary(uniqueKeysWithValues: fields)
      guard case .string(let type) = field["dtype"]!, let bits = Self.bits[type] else {
        throw OracleRefusal(reason: "dtype")
      }
      let shape = try Self.integers(field["shape"]!)
      let offsets = try Self.integers(field["data_offsets"]!)
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
    // An empty tensor is no border of its own.
    let borders = Set([0] + spans.values.filter { !$0.isEmpty }.map(\.upperBound))
    try require(spans.values.allSatisfy { borders.contains($0.lowerBound) }, "empty tensor out of place")
    tensors = spans.mapValues { Array(data[$0]) }
  }

  private static let bits = [
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "C64": 64, "F64": 64, "I64": 64, "U64": 64,
  ]

  private static func integers(_ value: TreeParser.Value) throws -> [Int] {
    guard case .array(let elements) = value else { throw OracleRefusal(reason: "no array") }
    return try elements.map { element in
      guard case .number(let text) = element, text == "0" || !text.hasPrefix("0"),
        text.allSatisfy({ "0123456789".contains($0) }), let value = Int(text), value <= 9_007_199_254_740_992
      else { throw OracleRefusal(reason: "no whole number") }
      return value
    }
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
