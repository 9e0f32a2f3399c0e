package import TileKernels

/// The random numbers of one moment of one parameter at one step.
///
/// A number is a pure function of (seed, key, moment, step, block, index in the block): nothing but the seed has to be
/// saved, and results depend neither on threads nor on the order of parameters.
package struct RandomStream {
  /// Of all blocks.
  package let key: UInt64

  /// - Parameter keyHash: ``hash(of:)`` of the parameter's key.
  package init(seed: UInt64, keyHash: UInt64, moment: Int, step: Int) {
    key = mixed(mixed(mixed(mixed(seed) ^ keyHash) ^ UInt64(moment)) ^ UInt64(step))
  }

  /// `count` numbers in [0, 1) with 24 bits: the first of the block.
  package func fill(block: Int, count: Int, uniforms: UnsafeMutablePointer<Float>, _ kernels: KernelSet) {
    kernels.fillUniforms(key(ofBlock: block), count, uniforms)
  }

  /// What `fillUniforms` makes a block's numbers of.
  package func key(ofBlock block: Int) -> UInt64 { uniformsKey(key, ofBlock: block) }

  /// A 64-bit hash of a parameter's key that is the same in every process: FNV-1a over UTF-8.
  package static func hash(of key: String) -> UInt64 {
    key.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
  }
}
