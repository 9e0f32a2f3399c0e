import Foundation

/// SplitMix64: repeatable random numbers. Creating one prints its seed, so that a failure can be repeated with
/// `LOWBIT_SEED`.
public struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  public init(_ test: String = #function, seed: UInt64 = 20_261_121) {
    state = ProcessInfo.processInfo.environment["LOWBIT_SEED"].flatMap { UInt64($0) } ?? seed
    print("\(test): seed \(state)")
  }

  /// For data that is the same whatever the seed of the test, and is not worth a line of output.
  public init(quietly seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  public mutating func uniform() -> Float { Float(next() >> 40) / 16_777_216 }

  public mutating func normal() -> Float {
    let radius = (-2 * log(1 - Double(uniform()))).squareRoot()
    return Float(radius * cos(2 * .pi * Double(uniform())))
  }

  /// Values of both signs whose magnitudes spread evenly over the exponents.
  public mutating func wideRange() -> Float { (next() & 1 == 0 ? 1 : -1) * exp2(-60 * uniform()) }
}

/// Whether the long tests run too.
public let isExhaustive = ProcessInfo.processInfo.environment["LOWBIT_EXHAUSTIVE"] == "1"
