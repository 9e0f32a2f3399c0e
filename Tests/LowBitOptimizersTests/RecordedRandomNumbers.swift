import TileKernels

@testable import BlockQuantization

/// A kernel set that hands out recorded random numbers in place of its own, to repeat a peer's stochastic rounding.
///
/// A block's numbers are asked for by a key, so for each block the key is found out first.
struct RecordedRandomNumbers {
  let kernels: KernelSet

  /// - Parameters:
  ///   - numbers: by step, from 1, and element.
  ///   - moment: which moment of the parameter `key` is rounded with them. Others must not be rounded stochastically.
  init(_ numbers: [[Float]], key: String, moment: Int, blockSize: Int) {
    var places: [UInt64: (step: Int, start: Int)] = [:]
    for step in 1...numbers.count {
      let stream = RandomStream(seed: 0, keyHash: RandomStream.hash(of: key), moment: moment, step: step)
      for start in stride(from: 0, to: numbers[0].count, by: blockSize) {
        let asked = Asked()
        var none: Float = 0
        let listener = Self.set { key, _, _ in asked.key = key }
        stream.fill(block: start / blockSize, count: 1, uniforms: &none, listener)
        places[asked.key] = (step, start)
      }
    }
    let found = places
    kernels = Self.set { key, count, uniforms in
      guard let (step, start) = found[key] else { fatalError("random numbers of an unknown block") }
      for i in 0..<count { uniforms[i] = numbers[step - 1][start + i] }
    }
  }

  private final class Asked: @unchecked Sendable {
    var key: UInt64 = 0
  }

  /// The current set but for its random numbers.
  private static func set(
    _ fillUniforms: @escaping @Sendable (UInt64, Int, UnsafeMutablePointer<Float>) -> Void
  ) -> KernelSet {
    let set = KernelSet.current
    return KernelSet(
      name: "recorded", absmax: set.absmax, adam: set.adam, momentum: set.momentum, byteSteps: set.byteSteps,
      adamOnNibbles: set.adamOnNibbles,
      momentumOnNibbles: set.momentumOnNibbles, raiseAdamSlices: set.raiseAdamSlices, adamOnSlices: set.adamOnSlices,
      decodeBytes: set.decodeBytes, encodeBytes: set.encodeBytes, decodeNibbles: set.decodeNibbles,
      encodeNibbles: set.encodeNibbles, adamFirstMoments: set.adamFirstMoments,
      adamSecondMoments: set.adamSecondMoments, momentumBuffers: set.momentumBuffers,
      addSquares: set.addSquares, multiplyMeans: set.multiplyMeans, adamWithSecondMoments: set.adamWithSecondMoments,
      scaleBySmallest: set.scaleBySmallest,
      scaleByLargest: set.scaleByLargest, raiseSlices: set.raiseSlices,
      decodeLevels: set.decodeLevels, encodePacked: set.encodePacked, fillUniforms: fillUniforms,
      fastQuantile: set.fastQuantile, encodeLogarithmic: set.encodeLogarithmic)
  }
}
