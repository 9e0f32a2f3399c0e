// The last block of a tensor, as for 4-bit codes: stepped over in memory of its own, filled up with copies of its last
// element to a multiple of 64.
#if arch(x86_64)
import TileKernels
import TileKernelsAVX512

/// Elements that there is memory for on the stack.
@inline(__always)
var largestShortByteBlock: Int { 256 }

/// Calls `body` with memory for parameters and gradients, and for the codes of two moments.
@inline(__always)
func withShortBlockMemory(_ body: (UnsafeMutablePointer<Float>, UnsafeMutablePointer<UInt8>) -> Int) -> Int {
  withStackMemory(largestShortByteBlock / 8, largestShortByteBlock / 32) {
    body($0.assumingMemoryBound(to: Float.self), $1.assumingMemoryBound(to: UInt8.self))
  }
}

/// Returns the block, if it is out of the ordinary and has been left as it is, or the next.
@inline(never)
func adamOnShortBlock(
  _ run: BlockRun, _ block: Int, _ first: ByteMoment, _ second: ByteMoment,
  _ values: UnsafeMutablePointer<Float>, _ codes: UnsafeMutablePointer<UInt8>, _ constants: AdamConstants
) -> Int {
  let start = block &* run.blockSize
  let count = run.length(of: block)
  let filled = filledRun(run, start, count, values)
  let (filledFirst, filledSecond) = (
    filledMoment(first, block, start, count, filled.count, codes),
    filledMoment(second, block, start, count, filled.count, codes + largestShortByteBlock)
  )
  guard adamOnWholeBlocks(filled, filledFirst, filledSecond, constants) == 1 else { return block }
  run.parameters.advanced(by: start).update(from: values, count: count)
  first.codes.advanced(by: start).update(from: filledFirst.codes, count: count)
  second.codes.advanced(by: start).update(from: filledSecond.codes, count: count)
  return block &+ 1
}

@inline(never)
func momentumOnShortBlock(
  _ run: BlockRun, _ block: Int, _ buffer: ByteMoment, _ values: UnsafeMutablePointer<Float>,
  _ codes: UnsafeMutablePointer<UInt8>, _ constants: MomentumConstants
) -> Int {
  let start = block &* run.blockSize
  let count = run.length(of: block)
  let filled = filledRun(run, start, count, values)
  let filledBuffer = filledMoment(buffer, block, start, count, filled.count, codes)
  guard momentumOnWholeBlocks(filled, filledBuffer, constants) == 1 else { return block }
  run.parameters.advanced(by: start).update(from: values, count: count)
  buffer.codes.advanced(by: start).update(from: filledBuffer.codes, count: count)
  return block &+ 1
}

@inline(__always)
private func filledRun(_ run: BlockRun, _ start: Int, _ count: Int, _ values: UnsafeMutablePointer<Float>) -> BlockRun {
  let whole = (count &+ 63) & ~63
  fill(values, from: run.parameters + start, count, whole)
  fill(values + largestShortByteBlock, from: run.gradients + start, count, whole)
  return BlockRun(
    parameters: values, gradients: values + largestShortByteBlock, count: whole, blockSize: whole, blocks: 0..<1)
}

@inline(__always)
private func filledMoment(
  _ moment: ByteMoment, _ block: Int, _ start: Int, _ count: Int, _ whole: Int, _ codes: UnsafeMutablePointer<UInt8>
) -> ByteMoment {
  for i in 0..<count { codes[i] = moment.codes[start &+ i] }
  for i in count..<whole { codes[i] = moment.codes[start &+ count &- 1] }
  var filled = moment
  (filled.codes, filled.scales) = (codes, moment.scales + block)
  return filled
}
#endif
