/// Reads the JSON of a safetensors header, strictly.
///
/// A reader of its own, because general ones accept duplicate keys, any depth and any form of number. It never reads
/// past its bytes and does no arithmetic on numbers of the file that can overflow.
struct HeaderScanner {
  static let mostStringBytes = 65_536
  /// Of a parameter: leaves room for what is put before and after it.
  static let mostNameBytes = mostStringBytes - 256

  private let bytes: UnsafeRawBufferPointer
  private(set) var position = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }

  func failure(_ problem: String, at place: Int? = nil) -> CheckpointError {
    CheckpointError(.malformed, "header byte \(place ?? position)", problem)
  }

  mutating func skipSpace() {
    while position < bytes.count, [0x20, 0x0a, 0x0d, 0x09].contains(bytes[position]) { position += 1 }
  }

  /// Takes the character if it is next, after white space.
  mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  mutating func expect(_ character: Unicode.Scalar) throws(CheckpointError) {
    if !take(character) { throw failure("expected \(character)") }
  }

  /// A whole number up to 2^53, in plain digits: the numbers that every JSON reader reads alike.
  mutating func integer() throws(CheckpointError) -> Int {
    skipSpace()
    let start = position
    var value = 0
    while position < bytes.count, (0x30...0x39).contains(bytes[position]) {
      value = 10 * value + Int(bytes[position] - 0x30)
      position += 1
      if value > 1 << 53 { throw failure("a number above 2^53", at: start) }
    }
    if position == start { throw failure("expected a whole number") }
    if bytes[start] == 0x30 && position > start + 1 { throw failure("a number with a leading zero", at: start) }
    if position < bytes.count, [0x2e, 0x65, 0x45].contains(bytes[position]) { throw failure("not a whole number") }
    return value
  }

  mutating func string() throws(CheckpointError) -> String {
    try expect("\"")
    let start = position
    var content: [UInt8] = []
    while true {
      guard position < bytes.count else { throw failure("a string without an end", at: start) }
      let byte = bytes[position]
      position += 1
      if byte == 0x22 { break }
      if byte < 0x20 { throw failure("a control character in a string", at: position - 1) }
      if byte == 0x5c {
        content.append(contentsOf: String(try escapedScalar()).utf8)
      } else {
        content.append(byte)
      }
      if content.count > Self.mostStringBytes {
        throw failure("a string of more than \(Self.mostStringBytes) bytes", at: start)
      }
    }
    let string = String(decoding: content, as: UTF8.self)
    // Decoding repairs what is not UTF-8, and so changes it.
    guard string.utf8.elementsEqual(content) else { throw failure("not UTF-8", at: start) }
    return string
  }

  private mutating func escapedScalar() throws(CheckpointError) -> Unicode.Scalar {
    let start = position - 1
    guard position < bytes.count else { throw failure("a string without an end", at: start) }
    position += 1
    switch bytes[position - 1] {
    case 0x22: return "\""
    case 0x5c: return "\\"
    case 0x2f: return "/"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      var value = try hexadecimalUnit()
      if (0xd800..<0xdc00).contains(value) {
        guard position + 1 < bytes.count, bytes[position] == 0x5c, bytes[position + 1] == UInt8(ascii: "u") else {
          throw failure("half of a surrogate pair", at: start)
        }
        position += 2
        let low = try hexadecimalUnit()
        guard (0xdc00..<0xe000).contains(low) else { throw failure("half of a surrogate pair", at: start) }
        value = 0x10000 + (value - 0xd800) << 10 + (low - 0xdc00)
      }
      guard let scalar = Unicode.Scalar(value) else { throw failure("half of a surrogate pair", at: start) }
      return scalar
    default: throw failure("an unknown escape", at: start)
    }
  }

  private mutating func hexadecimalUnit() throws(CheckpointError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard position < bytes.count, let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue else {
        throw failure("expected four hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }
}
