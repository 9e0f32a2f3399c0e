/// The element types of safetensors files.
package enum SafetensorsType: String, CaseIterable, Sendable {
  case bool = "BOOL"
  case f4 = "F4"
  case f6e2m3 = "F6_E2M3"
  case f6e3m2 = "F6_E3M2"
  case u8 = "U8"
  case i8 = "I8"
  case f8e5m2 = "F8_E5M2"
  case f8e4m3 = "F8_E4M3"
  case f8e8m0 = "F8_E8M0"
  case f8e4m3fnuz = "F8_E4M3FNUZ"
  case f8e5m2fnuz = "F8_E5M2FNUZ"
  case i16 = "I16"
  case u16 = "U16"
  case f16 = "F16"
  case bf16 = "BF16"
  case i32 = "I32"
  case u32 = "U32"
  case f32 = "F32"
  case c64 = "C64"
  case f64 = "F64"
  case i64 = "I64"
  case u64 = "U64"

  package var bits: Int {
    switch self {
    case .f4: 4
    case .f6e2m3, .f6e3m2: 6
    case .bool, .u8, .i8, .f8e5m2, .f8e4m3, .f8e8m0, .f8e4m3fnuz, .f8e5m2fnuz: 8
    case .i16, .u16, .f16, .bf16: 16
    case .i32, .u32, .f32: 32
    case .c64, .f64, .i64, .u64: 64
    }
  }

  /// Bytes of `count` elements; nil if they are no whole number of bytes or too many.
  func byteCount(of count: Int) -> Int? {
    let (bitCount, overflow) = count.multipliedReportingOverflow(by: bits)
    return overflow || bitCount % 8 != 0 ? nil : bitCount / 8
  }
}

/// What the header of a safetensors file says, checked against the length of the file.
package struct SafetensorsHeader: Sendable {
  package struct Tensor: Hashable, Sendable {
    package var name: String
    package var type: SafetensorsType
    package var shape: [Int]
    /// Bytes of the data buffer, which begins after the header.
    package var range: Range<Int>

    package var count: Int { shape.reduce(1, *) }
  }

  /// The format's own limit on the header.
  static let mostBytes = 100_000_000
  static let mostDimensions = 8
  static let largestDimension = 1 << 48 - 1

  /// In the order of their data.
  package private(set) var tensors: [Tensor] = []
  package private(set) var metadata: [String: String] = [:]

  /// - Parameter dataByteCount: the length of the file after the header.
  init(parsing bytes: UnsafeRawBufferPointer, dataByteCount: Int) throws(CheckpointError) {
    var scanner = HeaderScanner(bytes)
    guard bytes.first == UInt8(ascii: "{") else { throw scanner.failure("the header does not begin with {") }
    try scanner.expect("{")
    var names: Set<String> = []
    if !scanner.take("}") {
      repeat {
        let name = try Self.newName(&scanner, &names)
        try scanner.expect(":")
        if name == "__metadata__" {
          metadata = try Self.metadata(&scanner)
        } else {
          tensors.append(try Self.tensor(name, &scanner))
        }
      } while scanner.take(",")
      try scanner.expect("}")
    }
    scanner.skipSpace()
    if !scanner.isAtEnd { throw scanner.failure("something after the header's end") }
    tensors.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
    try checkTiling(dataByteCount)
  }

  /// Swift compares strings as readers see them, so two spellings of one accented letter are the same name here.
  private static func newName(
    _ scanner: inout HeaderScanner, _ names: inout Set<String>
  ) throws(CheckpointError) -> String {
    scanner.skipSpace()
    let start = scanner.position
    let name = try scanner.string()
    if !names.insert(name).inserted { throw scanner.failure("\(name) occurs twice", at: start) }
    return name
  }

  private static func metadata(_ scanner: inout HeaderScanner) throws(CheckpointError) -> [String: String] {
    var metadata: [String: String] = [:]
    var names: Set<String> = []
    try scanner.expect("{")
    if scanner.take("}") { return metadata }
    repeat {
      let name = try newName(&scanner, &names)
      try scanner.expect(":")
      metadata[name] = try scanner.string()
    } while scanner.take(",")
    try scanner.expect("}")
    return metadata
  }

  private static func tensor(_ name: String, _ scanner: inout HeaderScanner) throws(CheckpointError) -> Tensor {
    scanner.skipSpace()
    let start = scanner.position
    var type: SafetensorsType?
    var shape: [Int]?
    var offsets: [Int]?
    var fields: Set<String> = []
    try scanner.expect("{")
    repeat {
      let field = try newName(&scanner, &fields)
      try scanner.expect(":")
      switch field {
      case "dtype":
        let text = try scanner.string()
        type = SafetensorsType(rawValue: text)
        if type == nil { throw scanner.failure("\(name) has the unknown dtype \(text)", at: start) }
      case "shape": shape = try integers(&scanner, atMost: mostDimensions)
      case "data_offsets": offsets = try integers(&scanner, atMost: 2)
      default: throw scanner.failure("\(name) has the unknown field \(field)", at: start)
      }
    } while scanner.take(",")
    try scanner.expect("}")
    guard let type, let shape, let offsets, offsets.count == 2 else {
      throw scanner.failure("\(name) lacks a dtype, a shape or two data_offsets", at: start)
    }
    guard offsets[0] <= offsets[1] else { throw scanner.failure("\(name) ends before it begins", at: start) }
    var count = 1
    for dimension in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
      guard dimension <= largestDimension, !overflow else {
        throw scanner.failure("\(name) has the impossible shape \(shape)", at: start)
      }
      count = product
    }
    guard let byteCount = type.byteCount(of: count) else {
      throw scanner.failure("\(name): \(count) elements of \(type.rawValue) are no possible number of bytes", at: start)
    }
    guard byteCount == offsets[1] - offsets[0] else {
      throw scanner.failure(
        "\(name): its shape \(shape) needs \(byteCount) bytes, its offsets span \(offsets[1] - offsets[0])", at: start)
    }
    return Tensor(name: name, type: type, shape: shape, range: offsets[0]..<offsets[1])
  }

  private static func integers(_ scanner: inout HeaderScanner, atMost limit: Int) throws(CheckpointError) -> [Int] {
    var values: [Int] = []
    try scanner.expect("[")
    if scanner.take("]") { return values }
    repeat {
      if values.count == limit { throw scanner.failure("more than \(limit) numbers") }
      values.append(try scanner.integer())
    } while scanner.take(",")
    try scanner.expect("]")
    return values
  }

  /// The tensors must cover the data without overlap, hole or rest.
  private func checkTiling(_ dataByteCount: Int) throws(CheckpointError) {
    var end = 0
    for tensor in tensors {
      if tensor.range.lowerBound != end {
        let problem = tensor.range.lowerBound < end ? "overlaps the tensor before it" : "leaves a hole before it"
        throw CheckpointError(.malformed, tensor.name, "begins at byte \(tensor.range.lowerBound), and so \(problem)")
      }
      end = tensor.range.upperBound
    }
    if end != dataByteCount {
      throw CheckpointError(
        .malformed, "data", "the tensors take \(end) bytes, the file has \(dataByteCount) after its header")
    }
  }
}
