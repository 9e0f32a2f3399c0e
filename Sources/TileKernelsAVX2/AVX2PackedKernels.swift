// One-line wrappers of the stages for codes of 2 to 4 bits, compiled with this module's instruction set. Raw pointers
// only, so that no generic copy of a standard-library function is made here that the linker might choose for the whole
// program.
#if arch(x86_64)
import TileKernels

@inline(never)
package func avx2DecodeLevels(
  _ codes: UnsafePointer<UInt8>, _ count: Int, _ bits: Int, _ levels: UnsafePointer<Float>,
  _ values: UnsafeMutablePointer<Float>
) {
  decodeLevelsStage(codes, count, bits, levels, values)
}

@inline(never)
package func avx2EncodePacked(
  _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ map: PackedMap,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  encodePackedStage(values, count, reciprocal, map, codes)
}

@inline(never)
package func avx2FillUniforms(_ key: UInt64, _ count: Int, _ uniforms: UnsafeMutablePointer<Float>) {
  fillUniformsStage(key, count, uniforms)
}

@inline(never)
package func avx2FastQuantile(_ values: UnsafePointer<Float>, _ count: Int) -> Float {
  fastQuantileStage(values, count)
}

@inline(never)
package func avx2EncodeLogarithmic(
  _ values: UnsafePointer<Float>, _ uniforms: UnsafePointer<Float>, _ count: Int, _ levels: LogarithmicLevels,
  _ codes: UnsafeMutablePointer<UInt8>
) {
  encodeLogarithmicStage(values, uniforms, count, levels, codes)
}
#endif
