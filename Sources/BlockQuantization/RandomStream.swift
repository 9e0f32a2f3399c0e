package import TileKernels

/// The random numbers of one moment of one parameter at one step.
///
/// A number is a pure function of (seed, key, moment, step, block, index in the block): nothing but the seed has to be
/// saved, and results depend neither on threads nor on the order of parameters.
package struct RandomStream {
  private let key: UInt64

  /// - Parameter keyHash: ``hash(of:)`` of the parameter's key.
  package init(seed: UInt64, keyHash: UInt64, moment: Int, step: Int) {
    key = Self.mix(Self.mix(Self.mix(Self.mix(seed) ^ keyHash) ^ UInt64(moment)) ^ UInt64(step))
  }

  /// `count` numbers in [0, 1) with 24 bits: the first of the block.
  package func fill(block: Int, count: Int, uniforms: UnsafeMutablePointer<Float>, _ kernels: KernelSet) {
    kernels.fillUniforms(key(ofBlock: block), count, uniforms)
  }

  /// What `fillUniforms` makes a block's numbers of.
  package func key(ofBlock block: Int) -> UInt64 { Self.mix(key ^ UInt64(block)) }

  /// A 64-bit hash of a parameter's key that is the same in every process: FNV-1a over UTF-8.
  package static func hash(of key: String) -> UInt64 {
    key.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
  }

  /// SplitMix64's next number: every bit of the input changes every bit of the result with probability ½.
  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9e37_79b9_7f4a_7c15
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }
}
