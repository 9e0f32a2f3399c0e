#if arch(x86_64)
/// LLVM's own, because C's prefetch is no function that could be imported.
@_silgen_name("llvm.prefetch.p0")
func llvmPrefetch(_ address: UnsafeRawPointer, _ isWrite: Int32, _ locality: Int32, _ isData: Int32)

/// Asks for the cache line at an address, which may be beyond the end of an array. Steps that compute for long per byte need
/// this, because processors prefetch within a page only.
@inline(__always)
func prefetch(_ address: UnsafeRawPointer) { llvmPrefetch(address, 0, 3, 1) }

/// How far ahead, in elements: four blocks of 128.
var prefetchDistance: Int { @inline(__always) get { 512 } }
#endif
