import Foundation

/// A small seeded generator: word number n is a pure function of the seed and n, so a position is all there is to save.
///
/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
public struct SplitMix64: RandomNumberGenerator, Equatable, Codable {
  private(set) var state: UInt64

  public init(seed: UInt64) { state = seed }

  /// An own sequence for each name under one seed.
  public init(seed: UInt64, stream name: String) {
    // FNV-1a over the bytes of the name; Swift's own hash values change from run to run.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    state = seed ^ hash
    state = next()
  }

  public mutating func next() -> UInt64 {
    state &+= Self.increment
    return Self.mixed(state)
  }

  /// Word number `index` for seed 0, the first being number 1, so that threads can draw in any order.
  public static func word(at index: UInt64) -> UInt64 { mixed(index &* increment) }

  private static let increment: UInt64 = 0x9e37_79b9_7f4a_7c15

  private static func mixed(_ state: UInt64) -> UInt64 {
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// Evenly distributed in 0 ..< 1, with 53 random bits.
  public mutating func nextUniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Normally distributed with mean 0 and deviation 1 (Box and Muller's method; its second value is not used).
  public mutating func nextNormal() -> Double {
    let radius = (-2 * log(1 - nextUniform())).squareRoot()
    return radius * cos(2 * Double.pi * nextUniform())
  }
}
