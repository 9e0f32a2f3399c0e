/// Codes of any width packed into bytes, little end first: code i begins at bit i · bits. The bits after the last are 0.
enum PackedCodes {
  /// Bytes that the codes take.
  static func byteCount(of count: Int, bits: Int) -> Int { (count * bits + 7) / 8 }

  /// The codes one by one.
  static func unpacked(_ bytes: some Sequence<UInt8>, count: Int, bits: Int) -> [UInt8] {
    var bytes = bytes.makeIterator()
    // Bits taken from the bytes but not yet used, the next code lowest.
    var window = 0
    var windowCount = 0
    return (0..<count).map { _ in
      if windowCount < bits {
        window |= Int(bytes.next()!) << windowCount
        windowCount += 8
      }
      let code = UInt8(window & (1 << bits - 1))
      window >>= bits
      windowCount -= bits
      return code
    }
  }

  /// Initializes the bytes of `count` codes, all the same.
  static func initialize(_ bytes: UnsafeMutableBufferPointer<UInt8>, repeating code: Int, count: Int, bits: Int) {
    // Eight codes fill `bits` bytes.
    let pattern = (0..<bits).map { byte in
      (0..<8).reduce(UInt8(0)) { $0 | UInt8(code >> ((8 * byte + $1) % bits) & 1) << UInt8($1) }
    }
    if pattern.allSatisfy({ $0 == pattern[0] }) {
      bytes.initialize(repeating: pattern[0])
    } else {
      for index in bytes.indices {
        bytes.initializeElement(at: index, to: index < bits ? pattern[index] : bytes[index - bits])
      }
    }
    let bitsInLast = count * bits % 8
    if bitsInLast > 0 { bytes[bytes.count - 1] &= 1 << UInt8(bitsInLast) - 1 }
  }
}
