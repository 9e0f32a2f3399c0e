// The last block of a tensor: a batch of small tensors has many. It is stepped over as a whole one in memory of its own,
// filled up with copies of its last element, which change neither maxima nor whether the block is out of the ordinary.
#if arch(x86_64)
import TileKernels

/// Elements that there is memory for on the stack.
@inline(__always)
var largestShortBlock: Int { 128 }

/// - Parameters:
///   - codes: for 128 bytes that spread codes want, and codes of two moments.
///   - values: for parameters and gradients.
@inline(__always)
func adamOnShortBlock(
  _ run: BlockRun, _ first: NibbleMoment, _ second: NibbleMoment, _ codes: UnsafeMutableRawPointer,
  _ values: UnsafeMutableRawPointer, _ constants: AdamConstants
) -> Int {
  let block = run.firstBlock
  let start = block &* run.blockSize
  let count = run.count &- start
  let whole = (count &+ 63) & ~63
  let parameters = values.assumingMemoryBound(to: Float.self)
  let gradients = parameters + largestShortBlock
  let firstCodes = (codes + 128).assumingMemoryBound(to: UInt8.self)
  fill(parameters, from: run.parameters + start, count, whole)
  fill(gradients, from: run.gradients + start, count, whole)
  var (filledFirst, filledSecond) = (first, second)
  (filledFirst.codes, filledFirst.scales) = (firstCodes, first.scales + block)
  (filledSecond.codes, filledSecond.scales) = (firstCodes + whole / 2, second.scales + block)
  fillCodes(filledFirst.codes, from: first.codes + start / 2, count, whole)
  fillCodes(filledSecond.codes, from: second.codes + start / 2, count, whole)

  let filled = BlockRun(
    parameters: parameters, gradients: gradients, count: whole, blockSize: whole, blocks: 0..<1)
  let skippedCount = adamOnWholeBlocks(filled, filledFirst, filledSecond, codes, constants)

  for i in 0..<count { run.parameters[start &+ i] = parameters[i] }
  copyCodes(filledFirst.codes, to: first.codes + start / 2, count)
  copyCodes(filledSecond.codes, to: second.codes + start / 2, count)
  return skippedCount
}

@inline(__always)
private func fill(
  _ values: UnsafeMutablePointer<Float>, from source: UnsafePointer<Float>, _ count: Int, _ whole: Int
) {
  for i in 0..<count { values[i] = source[i] }
  for i in count..<whole { values[i] = source[count &- 1] }
}

@inline(__always)
private func fillCodes(
  _ codes: UnsafeMutablePointer<UInt8>, from source: UnsafePointer<UInt8>, _ count: Int, _ whole: Int
) {
  for byte in 0..<count / 2 { codes[byte] = source[byte] }
  let lastByte = source[(count &- 1) / 2]
  let last = count & 1 == 1 ? lastByte & 15 : lastByte &>> 4
  for byte in count / 2..<whole / 2 { codes[byte] = last &* 0x11 }
}

/// An odd length leaves zero bits in the last high nibble.
@inline(__always)
private func copyCodes(_ codes: UnsafePointer<UInt8>, to target: UnsafeMutablePointer<UInt8>, _ count: Int) {
  for byte in 0..<count / 2 { target[byte] = codes[byte] }
  if count & 1 == 1 { target[count / 2] = codes[count / 2] & 15 }
}
#endif
