// The stages for codes of 2 to 4 bits that need nothing but this module's instruction set.
#if arch(x86_64)
import TileKernels

@inline(never)
package func avx512FillUniforms(_ key: UInt64, _ count: Int, _ uniforms: UnsafeMutablePointer<Float>) {
  fillUniformsStage(key, count, uniforms)
}
#endif
