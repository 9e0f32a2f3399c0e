// The loops make so much of each cache line that the lines in flight within the processor's window do not keep memory
// busy, and its own prefetchers stop at each page: lines are asked for by hand. What is asked for may be beyond the end.
//
// Asked for twice: early into the second-level cache, which takes more lines at a time than the first and has room for them
// beside the scratch memory, and from there in time for their use.
#if arch(x86_64)
import TileKernels

/// Asks for the line of an element that comes later.
@inlinable @inline(__always)
package func prefetchAhead(_ elements: UnsafePointer<Float>) {
  prefetch(elements + farDistance, 0, 2, 1)
  prefetch(elements + nearDistance, 0, 3, 1)
}

@inlinable @inline(__always)
package func prefetchAhead(_ elements: UnsafeMutablePointer<Float>) {
  prefetch(elements + farDistance, 1, 2, 1)
  prefetch(elements + nearDistance, 1, 3, 1)
}

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
