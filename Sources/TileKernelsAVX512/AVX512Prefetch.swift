// The loops make so much of each cache line that the lines in flight within the processor's window do not keep memory
// busy, and its own prefetchers stop at each page: lines are asked for by hand. What is asked for may be beyond the end.
//
// Asked for twice: early into the second-level cache, which takes more lines at a time than the first and has room for them
// beside the scratch memory, and from there in time for their use.
#if arch(x86_64)
import TileKernels

/// Elements from what is asked for to what is worked on.
@inlinable @inline(__always)
var distanceFromMemory: Int { 1024 }
@inlinable @inline(__always)
var distanceFromSecondLevel: Int { 256 }

/// Asks for the line of an element that comes later.
@inlinable @inline(__always)
package func prefetchAhead(_ elements: UnsafePointer<Float>) {
  prefetch(elements + distanceFromMemory, 0, 2, 1)
  prefetch(elements + distanceFromSecondLevel, 0, 3, 1)
}

@inlinable @inline(__always)
package func prefetchAhead(_ elements: UnsafeMutablePointer<Float>) {
  prefetch(elements + distanceFromMemory, 1, 2, 1)
  prefetch(elements + distanceFromSecondLevel, 1, 3, 1)
}

/// The same for codes of so many bits, of which there are fewer lines.
@inlinable @inline(__always)
package func prefetchAhead(_ codes: UnsafeMutablePointer<UInt8>, bits: Int) {
  prefetch(codes + distanceFromMemory / 8 &* bits, 1, 3, 1)
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
