#if arch(x86_64)
import TileKernels

/// Asks for so many bytes, early.
@inline(never)
package func avx512Prefetch(_ memory: UnsafeRawPointer, _ byteCount: Int) {
  var offset = 0
  while offset < byteCount {
    prefetch(memory + offset, 0, 2, 1)
    offset &+= 64
  }
}
#endif
