// A tensor's last elements, where they are no multiple of 64: stepped over in memory of their own, filled up with zeros.
#if arch(x86_64)
import TileKernels
import TileKernelsAVX512
import _Builtin_intrinsics.intel

/// 64 elements that end outside of the tensor, in the same form as whole blocks'.
typealias ShortGroup = (
  /// The first element's place in the tensor; beyond its end if there is no such group.
  start: Int,
  parameters: UnsafeMutablePointer<Float>, gradients: UnsafeMutablePointer<Float>,
  firstCodes: UnsafeMutablePointer<UInt8>, secondCodes: UnsafeMutablePointer<UInt8>
)

/// For runs that end with whole groups: pointers that nothing follows.
@inline(__always)
private func noGroup(_ moment: ByteMoment) -> ShortGroup {
  (
    start: .max, parameters: moment.values, gradients: moment.values, firstCodes: moment.codes,
    secondCodes: moment.codes
  )
}

/// Calls `body` with the run's blocks, of which the last comes by itself where it ends with a short group: only then are
/// the group's elements near. Returns the first block that `body` leaves, or the run's end.
@inline(__always)
func inGroups(
  _ run: BlockRun, _ first: ByteMoment, _ second: ByteMoment?, _ body: (BlockRun, ShortGroup) -> Int
) -> Int {
  let whole = run.withoutShortBlock(64)
  let end = body(whole, noGroup(first))
  guard end == whole.endBlock && end < run.endBlock else { return end }
  return withShortGroup(run, first, second) { body(run.only(end), $0) }
}

/// Calls `body` with the tensor's last elements, and stores them if it gets to the run's end.
@inline(__always)
private func withShortGroup(
  _ run: BlockRun, _ first: ByteMoment, _ second: ByteMoment?, _ body: (ShortGroup) -> Int
) -> Int {
  // Twice 64 floats, and twice 64 codes.
  withStackMemory(8, 2) { floats, codes in
    let parameters = floats.assumingMemoryBound(to: Float.self)
    let codes = codes.assumingMemoryBound(to: UInt8.self)
    let count = run.count & 63
    let group: ShortGroup = (
      start: run.count &- count, parameters: parameters, gradients: parameters + 64, firstCodes: codes,
      secondCodes: codes + 64
    )
    let codeMask = ~(~0 &<< UInt64(count))
    for part in 0..<4 {
      let mask = elementMask(codeMask, part)
      let place = 16 &* part
      TileKernelsAVX512.store(
        _mm512_maskz_loadu_ps(mask, run.parameters + (group.start &+ place)), to: parameters + place)
      TileKernelsAVX512.store(
        _mm512_maskz_loadu_ps(mask, run.gradients + (group.start &+ place)), to: group.gradients + place)
    }
    store(_mm512_mask_loadu_epi8(_mm512_set1_epi8(127), codeMask, first.codes + group.start), to: group.firstCodes)
    if let second {
      store(_mm512_maskz_loadu_epi8(codeMask, second.codes + group.start), to: group.secondCodes)
    }
    let end = body(group)
    guard end == run.endBlock else { return end }
    for part in 0..<4 {
      let place = 16 &* part
      _mm512_mask_storeu_ps(
        run.parameters + (group.start &+ place), elementMask(codeMask, part), load(parameters + place))
    }
    _mm512_mask_storeu_epi8(first.codes + group.start, codeMask, load(group.firstCodes))
    if let second { _mm512_mask_storeu_epi8(second.codes + group.start, codeMask, load(group.secondCodes)) }
    return end
  }
}

/// Of sixteen elements.
@inline(__always)
private func elementMask(_ mask: UInt64, _ part: Int) -> UInt16 {
  UInt16(truncatingIfNeeded: mask &>> UInt64(16 &* part))
}
#endif
