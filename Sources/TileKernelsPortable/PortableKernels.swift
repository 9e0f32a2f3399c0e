// One-line wrappers: the stages compiled with this module's instruction set. Raw pointers only, so that no generic copy
// of a standard-library function is made here that the linker might choose for the whole program.
import TileKernels

@inline(never)
package func portableAbsmax(_ values: UnsafePointer<Float>, _ count: Int) -> Float { absmaxStage(values, count) }

@inline(never)
package func portableAdam(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
  _ firstMoments: UnsafeMutablePointer<Float>, _ secondMoments: UnsafeMutablePointer<Float>,
  _ count: Int, _ constants: AdamConstants
) -> MomentMaxima {
  adamStage(parameters, gradients, firstMoments, secondMoments, count, constants)
}

@inline(never)
package func portableMomentum(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
  _ buffers: UnsafeMutablePointer<Float>, _ count: Int, _ constants: MomentumConstants
) -> Float {
  momentumStage(parameters, gradients, buffers, count, constants)
}

@inline(never)
package func portableDecodeBytes(
  _ codes: UnsafePointer<UInt8>, _ count: Int, _ scale: Float, _ map: ByteMap, _ values: UnsafeMutablePointer<Float>
) {
  decodeBytesStage(codes, count, scale, map, values)
}

@inline(never)
package func portableEncodeBytes(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ map: ByteMap,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  encodeBytesStage(values, count, reciprocal, map, codes)
}

@inline(never)
package func portableAdamOnBytes(
  _ run: BlockRun, _ first: ByteMoment, _ second: ByteMoment, _ constants: AdamConstants
) -> Int {
  adamOnBytesStage(run, first, second, constants)
}

@inline(never)
package func portableMomentumOnBytes(_ run: BlockRun, _ buffer: ByteMoment, _ constants: MomentumConstants) -> Int {
  momentumOnBytesStage(run, buffer, constants)
}

@inline(never)
package func portableDecodeNibbles(
  _ codes: UnsafePointer<UInt8>, _ count: Int, _ scale: Float, _ map: NibbleMap, _ values: UnsafeMutablePointer<Float>
) {
  decodeNibblesStage(codes, count, scale, map, values)
}

@inline(never)
package func portableEncodeNibbles(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ map: NibbleMap,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  encodeNibblesStage(values, count, reciprocal, map, codes)
}
