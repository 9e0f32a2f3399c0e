import Foundation
package import TileKernels
import TileKernelsAVX2
import TileKernelsAVX512
import TileKernelsPortable
import TileKernelsVBMI

extension KernelSet {
  /// SIMD as the compiler finds it in plain loops: what arm64 gets.
  static let portable = KernelSet(
    name: "portable", absmax: portableAbsmax, adam: portableAdam,
    momentum: portableMomentum, byteSteps: ByteSteps(adam: portableAdamOnBytes, momentum: portableMomentumOnBytes),
    adamOnNibbles: portableAdamOnNibbles, momentumOnNibbles: portableMomentumOnNibbles,
    raiseAdamSlices: portableRaiseAdamSlices, adamOnSlices: portableAdamOnSlices,
    decodeBytes: portableDecodeBytes, encodeBytes: portableEncodeBytes,
    decodeNibbles: portableDecodeNibbles, encodeNibbles: portableEncodeNibbles,
    adamFirstMoments: portableAdamFirstMoments, adamSecondMoments: portableAdamSecondMoments,
    momentumBuffers: portableMomentumBuffers,
    addSquares: portableAddSquares, multiplyMeans: portableMultiplyMeans,
    adamWithSecondMoments: portableAdamWithSecondMoments,
    scaleBySmallest: portableScaleBySmallest, scaleByLargest: portableScaleByLargest, raiseSlices: portableRaiseSlices,
    decodeLevels: portableDecodeLevels, encodePacked: portableEncodePacked, fillUniforms: portableFillUniforms,
    fastQuantile: portableFastQuantile, encodeLogarithmic: portableEncodeLogarithmic)

  #if arch(x86_64)
  static let avx2 = KernelSet(
    name: "avx2", absmax: avx2Absmax, adam: avx2Adam, momentum: avx2Momentum, byteSteps: avx2ByteSteps,
    adamOnNibbles: avx2AdamOnNibbles, momentumOnNibbles: avx2MomentumOnNibbles,
    raiseAdamSlices: avx2RaiseAdamSlices, adamOnSlices: avx2AdamOnSlices,
    decodeBytes: avx2DecodeBytes, encodeBytes: avx2EncodeBytes,
    decodeNibbles: avx2DecodeNibbles, encodeNibbles: avx2EncodeNibbles,
    adamFirstMoments: avx2AdamFirstMoments, adamSecondMoments: avx2AdamSecondMoments,
    momentumBuffers: avx2MomentumBuffers,
    addSquares: avx2AddSquares, multiplyMeans: avx2MultiplyMeans,
    adamWithSecondMoments: avx2AdamWithSecondMoments,
    scaleBySmallest: avx2ScaleBySmallest, scaleByLargest: avx2ScaleByLargest, raiseSlices: avx2RaiseSlices,
    decodeLevels: avx2DecodeLevels, encodePacked: avx2EncodePacked, fillUniforms: avx2FillUniforms,
    fastQuantile: avx2FastQuantile, encodeLogarithmic: avx2EncodeLogarithmic)

  private static let avx2ByteSteps = ByteSteps(adam: avx2AdamOnBytes, momentum: avx2MomentumOnBytes)

  /// Without byte permutations the steps over 8-bit codes are those of AVX2: looking up values one by one is most of them.
  static let avx512 =
    CPUFeatures.current.vbmi
    ? avx512(byteSteps: ByteSteps(adam: vbmiAdamOnBytes, momentum: vbmiMomentumOnBytes), decodeBytes: vbmiDecodeBytes)
    : avx512(byteSteps: avx2ByteSteps, decodeBytes: avx512DecodeBytes)

  private static func avx512(
    byteSteps: ByteSteps, decodeBytes: @escaping @Sendable (Codes, Int, Float, ByteMap, MutableValues) -> Void
  ) -> KernelSet {
    KernelSet(
      name: "avx512", absmax: avx512Absmax, adam: avx512Adam, momentum: avx512Momentum,
      byteSteps: byteSteps,
      adamOnNibbles: avx512AdamOnNibbles, momentumOnNibbles: avx512MomentumOnNibbles,
      raiseAdamSlices: avx512RaiseAdamSlices, adamOnSlices: avx512AdamOnSlices,
      decodeBytes: decodeBytes, encodeBytes: avx512EncodeBytes,
      decodeNibbles: avx512DecodeNibbles, encodeNibbles: avx512EncodeNibbles,
      adamFirstMoments: avx512AdamFirstMoments, adamSecondMoments: avx512AdamSecondMoments,
      momentumBuffers: avx512MomentumBuffers,
      addSquares: avx512AddSquares, multiplyMeans: avx512MultiplyMeans,
      adamWithSecondMoments: avx512AdamWithSecondMoments,
      scaleBySmallest: avx512ScaleBySmallest, scaleByLargest: avx512ScaleByLargest, raiseSlices: avx512RaiseSlices,
      decodeLevels: avx512DecodeLevels, encodePacked: avx512EncodePacked, fillUniforms: avx512FillUniforms,
      fastQuantile: avx512FastQuantile, encodeLogarithmic: avx512EncodeLogarithmic,
      packedSteps: PackedSteps(adam: avx512AdamOnLogarithms, momentum: avx512MomentumOnPacked),
      prefetch: avx512Prefetch)
  }
  #endif

  /// The sets that this machine can run, the fastest last.
  package static let available: [KernelSet] = {
    var sets = [portable]
    #if arch(x86_64)
    if CPUFeatures.current.avx2 { sets.append(avx2) }
    if CPUFeatures.current.avx512 { sets.append(avx512) }
    #endif
    return sets
  }()

  /// The set in use: the fastest, or the one that the environment variable `LOWBIT_KERNELS` names.
  package static let current: KernelSet = {
    let requested = ProcessInfo.processInfo.environment["LOWBIT_KERNELS"]
    do {
      return try choose(requested, from: available)
    } catch {
      fatalError("\(error)")
    }
  }()

  static func choose(_ requested: String?, from sets: [KernelSet]) throws(KernelSetUnavailable) -> KernelSet {
    guard let requested, !requested.isEmpty else { return sets[sets.count - 1] }
    guard let set = sets.first(where: { $0.name == requested }) else {
      throw KernelSetUnavailable(requested: requested, available: sets.map(\.name))
    }
    return set
  }
}

/// `LOWBIT_KERNELS` names a kernel set that is unknown or that this CPU cannot run.
struct KernelSetUnavailable: Error, CustomStringConvertible {
  var requested: String
  var available: [String]

  var description: String {
    "LOWBIT_KERNELS=\(requested): this machine can run \(available.joined(separator: ", "))"
  }
}
