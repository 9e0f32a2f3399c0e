/// The CRC-32 of zlib, PNG and Ethernet, so that any language can make it; eight bytes at a time.
package struct Checksum {
  private var state: UInt32 = 0xffff_ffff

  package init() {}

  /// Table k holds the checksum of each byte followed by k zeros.
  private static let tables: [UInt32] = {
    let polynomial: UInt32 = 0xedb8_8320
    var tables: [UInt32] = []
    for byte in 0..<256 {
      var rest = UInt32(byte)
      for _ in 0..<8 { rest = rest & 1 == 0 ? rest >> 1 : (rest >> 1) ^ polynomial }
      tables.append(rest)
    }
    for index in 256..<2048 {
      let last = tables[index - 256]
      tables.append((last >> 8) ^ tables[Int(last & 0xff)])
    }
    return tables
  }()

  package mutating func add(_ bytes: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress else { return }
    var state = state
    Self.tables.withUnsafeBufferPointer { tables in
      let tables = tables.baseAddress!
      var index = 0
      while index &+ 8 <= bytes.count {
        var word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: index, as: UInt64.self)) ^ UInt64(state)
        state = 0
        for table in (0..<8).reversed() {
          state ^= tables[table &* 256 &+ Int(UInt8(truncatingIfNeeded: word))]
          word >>= 8
        }
        index &+= 8
      }
      while index < bytes.count {
        let byte = base.load(fromByteOffset: index, as: UInt8.self)
        state = (state >> 8) ^ tables[Int(UInt8(truncatingIfNeeded: state) ^ byte)]
        index &+= 1
      }
    }
    self.state = state
  }

  package mutating func add(_ text: String) {
    var text = text
    text.withUTF8 { add(UnsafeRawBufferPointer($0)) }
  }

  /// Eight hexadecimal digits.
  package var text: String {
    let digits = String(state ^ 0xffff_ffff, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
}
