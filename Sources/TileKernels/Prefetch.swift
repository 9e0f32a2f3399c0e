/// Asks for a cache line, which may be beyond the end of what is used. The compiler's own intrinsic: the module of C
/// intrinsics has it as a macro only, which Swift does not see.
///
/// - Parameters:
///   - isForWriting: 0 or 1.
///   - locality: 3 into the first-level cache, 2 into the second.
///   - isData: 1.
@_silgen_name("llvm.prefetch.p0")
public func prefetch(_ address: UnsafeRawPointer, _ isForWriting: Int32, _ locality: Int32, _ isData: Int32)
