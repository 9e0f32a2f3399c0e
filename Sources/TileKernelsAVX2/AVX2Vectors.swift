// What the files of this module have in common.
#if arch(x86_64)
import _Builtin_intrinsics.intel

@inline(__always)
func load(_ pointer: UnsafePointer<Float>) -> __m256 {
  UnsafeRawPointer(pointer).loadUnaligned(as: __m256.self)
}

@inline(__always)
func store(_ vector: __m256, to pointer: UnsafeMutablePointer<Float>) {
  UnsafeMutableRawPointer(pointer).storeBytes(of: vector, as: __m256.self)
}

@inline(__always)
func bits(_ vector: __m256) -> __m256i { unsafeBitCast(vector, to: __m256i.self) }

@inline(__always)
func floats(_ bits: __m256i) -> __m256 { unsafeBitCast(bits, to: __m256.self) }

@inline(__always)
func magnitudeBits(_ vector: __m256) -> __m256i {
  _mm256_and_si256(bits(vector), _mm256_set1_epi32(0x7fff_ffff))
}
#endif
