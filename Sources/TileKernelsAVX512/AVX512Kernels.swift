// One-line wrappers: the stages compiled with this module's instruction set. Raw pointers only, so that no generic copy
// of a standard-library function is made here that the linker might choose for the whole program.
#if arch(x86_64)
import TileKernels

@inline(never)
package func avx512Absmax(_ values: UnsafePointer<Float>, _ count: Int) -> Float { absmaxStage(values, count) }

@inline(never)
package func avx512Adam(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
  _ firstMoments: UnsafeMutablePointer<Float>, _ secondMoments: UnsafeMutablePointer<Float>,
  _ count: Int, _ constants: AdamConstants
) -> MomentMaxima {
  adamStage(parameters, gradients, firstMoments, secondMoments, count, constants)
}

@inline(never)
package func avx512Momentum(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
  _ buffers: UnsafeMutablePointer<Float>, _ count: Int, _ constants: MomentumConstants
) -> Float {
  momentumStage(parameters, gradients, buffers, count, constants)
}

@inline(never)
package func avx512DecodeBytes(
  _ codes: UnsafePointer<UInt8>, _ count: Int, _ scale: Float, _ map: ByteMap, _ values: UnsafeMutablePointer<Float>
) {
  decodeBytesStage(codes, count, scale, map, values)
}
#endif
