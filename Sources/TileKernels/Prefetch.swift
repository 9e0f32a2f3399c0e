// The loops make so much of each cache line that the lines in flight within the processor's window do not keep memory
// busy, and its own prefetchers stop at each page: lines are asked for by hand. What is asked for may be beyond the end.
//
// Asked for twice: early into the second-level cache, which takes more lines at a time than the first and has room for them
// beside the scratch memory, and from there in time for their use.

/// Asks for a cache line, which may be beyond the end of what is used. The compiler's own intrinsic: the module of C
/// intrinsics has it as a macro only, which Swift does not see.
///
/// - Parameters:
///   - isForWriting: 0 or 1.
///   - locality: 3 into the first-level cache, 2 into the second.
///   - isData: 1.
@_silgen_name("llvm.prefetch.p0")
public func prefetch(_ address: UnsafeRawPointer, _ isForWriting: Int32, _ locality: Int32, _ isData: Int32)

/// Elements from what is asked for to what is worked on: from memory, and from a second-level cache that it is in.
@inlinable @inline(__always)
public var farDistance: Int { 1024 }
@inlinable @inline(__always)
public var nearDistance: Int { 256 }

/// Asks for the line of an element that comes later.
@inlinable @inline(__always)
public func prefetchAhead(_ elements: UnsafePointer<Float>) {
  prefetch(elements + farDistance, 0, 2, 1)
  prefetch(elements + nearDistance, 0, 3, 1)
}

@inlinable @inline(__always)
public func prefetchAhead(_ elements: UnsafeMutablePointer<Float>) {
  prefetch(elements + farDistance, 1, 2, 1)
  prefetch(elements + nearDistance, 1, 3, 1)
}

/// Asks for the line of codes of so many bits that come later: there are fewer than of elements.
@inlinable @inline(__always)
public func prefetchAhead(_ codes: UnsafeMutablePointer<UInt8>, bits: Int) {
  prefetch(codes + farDistance / 8 &* bits, 1, 3, 1)
}
