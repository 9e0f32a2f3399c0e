// Steps over 8-bit codes go twice over each block. The first pass makes the new moments and finds the scales. The second
// moves the parameters and encodes; it comes after the next block's first pass, so that nothing waits for the scales.
// A block out of the ordinary is left after its first pass, which writes nothing but scratch memory.
#if arch(x86_64)
import TileKernels
import TileKernelsAVX512
import _Builtin_intrinsics.intel

@inline(never)
package func vbmiAdamOnBytes(
  _ run: BlockRun, _ first: ByteMoment, _ second: ByteMoment, _ constants: AdamConstants
) -> Int {
  guard first.map.isSigned && !second.map.isSigned && run.blockSize & 63 == 0 else { return run.firstBlock }
  return inGroups(run, first, second) { adamOnBlocks($0, $1, first, second, constants) }
}

@inline(never)
func adamOnBlocks(
  _ run: BlockRun, _ group: ShortGroup, _ first: ByteMoment, _ second: ByteMoment, _ constants: AdamConstants
) -> Int {
  constants.withDecayTerms {
    adam(
      run, group, first, binVectors(first.map.bins), second, binVectors(second.map.bins),
      adamVectors(constants, $0))
  }
}

@inline(__always)
private func adam(
  _ run: BlockRun, _ group: ShortGroup, _ first: ByteMoment, _ firstMap: BinVectors, _ second: ByteMoment,
  _ secondMap: BinVectors, _ rule: AdamVectors
) -> Int {
  // Each takes turns with its next values.
  var (first, second) = (first, second)
  var factors = (first: _mm512_setzero_ps(), second: _mm512_setzero_ps())
  var isLargeScale = false
  var block = run.firstBlock
  while true {
    let isInRun = block < run.endBlock
    let (firstBits, secondBits) = isInRun ? makeMoments(run, block, group, first, second, rule) : (0, 0)
    if block > run.firstBlock {
      moveAndEncode(run, block &- 1, group, first, firstMap, second, secondMap, factors, rule)
      if isLargeScale { keepPositive(second, run, block &- 1, group) }
    }
    // Finite first moments mean finite gradients. Infinity, no number and negative second moments are larger bits.
    guard isInRun && firstBits < Float.infinity.bitPattern && secondBits < Float.infinity.bitPattern else {
      return block
    }
    first.swapValues()
    second.swapValues()
    let count = run.length(of: block)
    let secondReciprocal = second.newReciprocal(block, count, secondBits)
    factors.first = _mm512_set1_ps(first.newReciprocal(block, count, firstBits))
    factors.second = _mm512_set1_ps(secondReciprocal)
    isLargeScale = secondReciprocal < 1
    block &+= 1
  }
}

/// The first pass, into the next values. Returns the bits of the largest.
@inline(__always)
private func makeMoments(
  _ run: BlockRun, _ block: Int, _ group: ShortGroup, _ first: ByteMoment, _ second: ByteMoment, _ rule: AdamVectors
) -> (UInt32, UInt32) {
  let start = block &* run.blockSize
  let count = run.length(of: block)
  var (p, g) = (run.parameters + start, run.gradients + start)
  var (firstCodes, secondCodes) = (first.codes + start, second.codes + start)
  let firstScale = _mm512_set1_ps(first.scales[block])
  let secondScale = _mm512_set1_ps(second.scales[block])
  var firstMaximum = _mm512_setzero_si512()
  var secondMaximum = firstMaximum
  var i = 0
  while i < count {
    if start &+ i == group.start {
      (p, g) = (group.parameters - i, UnsafePointer(group.gradients - i))
      (firstCodes, secondCodes) = (group.firstCodes - i, group.secondCodes - i)
    }
    prefetchAhead(p + i, g + i)
    prefetchAhead(firstCodes + i, bits: 8)
    prefetchAhead(secondCodes + i, bits: 8)
    let g = decayed(g + i, p + i) { decayed($0, $1, rule) }
    let (firstBytes, secondBytes) = (
      signedBytes(firstCodes + i, first.map.bytePlanes), bytes(secondCodes + i, second.map.bytePlanes)
    )
    let newM = each(interleaved(firstBytes), g) {
      bits(firstMoments(_mm512_mul_ps(floats($0), firstScale), floats($1), rule))
    }
    let newV = each(interleaved(secondBytes), g) {
      bits(secondMoments(_mm512_mul_ps(floats($0), secondScale), floats($1), rule))
    }
    store(newM, to: first.nextValues + i)
    store(newV, to: second.nextValues + i)
    firstMaximum = largest(firstMaximum, magnitudes(newM))
    secondMaximum = largest(secondMaximum, newV)
    i &+= 64
  }
  return largestLanes(firstMaximum, secondMaximum)
}

/// The second pass.
@inline(__always)
private func moveAndEncode(
  _ run: BlockRun, _ block: Int, _ group: ShortGroup, _ first: ByteMoment, _ firstMap: BinVectors,
  _ second: ByteMoment, _ secondMap: BinVectors, _ factors: (first: __m512, second: __m512), _ rule: AdamVectors
) {
  let start = block &* run.blockSize
  let count = run.length(of: block)
  var p = run.parameters + start
  var (firstCodes, secondCodes) = (first.codes + start, second.codes + start)
  let (m, v) = (first.values, second.values)
  var i = 0
  while i < count {
    if start &+ i == group.start {
      p = group.parameters - i
      (firstCodes, secondCodes) = (group.firstCodes - i, group.secondCodes - i)
    }
    @inline(__always) func move(_ offset: Int) {
      let i = i &+ offset
      store(moved(load(p + i), load(m + i), load(v + i), rule), to: p + i)
    }
    let firstValues = products(m + i, factors.first)
    let secondValues = products(v + i, factors.second)
    let firstHalves = upperHalves(firstValues)
    let firstRegions = regions(upperHalves: magnitudes(upperHalves: firstHalves), firstMap)
    let secondRegions = regions(upperHalves: upperHalves(secondValues), secondMap)
    move(0)
    move(16)
    let firstCells = cells(magnitudes(firstValues), firstRegions, firstMap)
    let secondCells = cells(secondValues, secondRegions, secondMap)
    store(unsignedCodes(secondCells, upperBytes(secondRegions)), to: secondCodes + i)
    move(32)
    let newFirst = signedCodes(firstCells, upperBytes(firstRegions), upperBytes(firstHalves))
    move(48)
    store(newFirst, to: firstCodes + i)
    i &+= 64
  }
}

/// For a block whose last codes may be a short group's.
@inline(never)
func keepPositive(_ moment: ByteMoment, _ run: BlockRun, _ block: Int, _ group: ShortGroup) {
  let start = block &* run.blockSize
  let count = run.length(of: block)
  let wholeCount = start &+ count > group.start ? group.start &- start : count
  keepPositive(moment.values, wholeCount, moment.codes + start)
  keepPositive(moment.values + wholeCount, count &- wholeCount, group.secondCodes)
}

@inline(never)
package func vbmiMomentumOnBytes(_ run: BlockRun, _ buffer: ByteMoment, _ constants: MomentumConstants) -> Int {
  guard buffer.map.isSigned && run.blockSize & 63 == 0 else { return run.firstBlock }
  return inGroups(run, buffer, nil) { momentumOnBlocks($0, $1, buffer, constants) }
}

@inline(never)
func momentumOnBlocks(
  _ run: BlockRun, _ group: ShortGroup, _ buffer: ByteMoment, _ constants: MomentumConstants
) -> Int {
  constants.withTerms {
    momentum(run, group, buffer, binVectors(buffer.map.bins), momentumVectors(constants, $0))
  }
}

@inline(__always)
private func momentum(
  _ run: BlockRun, _ group: ShortGroup, _ buffer: ByteMoment, _ map: BinVectors, _ rule: MomentumVectors
) -> Int {
  var buffer = buffer
  var factor = _mm512_setzero_ps()
  var block = run.firstBlock
  while true {
    let isInRun = block < run.endBlock
    let maximumBits = isInRun ? makeBuffers(run, block, group, buffer, rule) : 0
    if block > run.firstBlock { moveAndEncode(run, block &- 1, group, buffer, map, factor, rule) }
    guard isInRun && maximumBits < Float.infinity.bitPattern else { return block }
    buffer.swapValues()
    factor = _mm512_set1_ps(buffer.newReciprocal(block, run.length(of: block), maximumBits))
    block &+= 1
  }
}

@inline(__always)
private func makeBuffers(
  _ run: BlockRun, _ block: Int, _ group: ShortGroup, _ buffer: ByteMoment, _ rule: MomentumVectors
) -> UInt32 {
  let start = block &* run.blockSize
  let count = run.length(of: block)
  var (p, g, codes) = (run.parameters + start, run.gradients + start, buffer.codes + start)
  let scale = _mm512_set1_ps(buffer.scales[block])
  var maximum = _mm512_setzero_si512()
  var i = 0
  while i < count {
    if start &+ i == group.start {
      (p, g, codes) = (group.parameters - i, UnsafePointer(group.gradients - i), group.firstCodes - i)
    }
    prefetchAhead(p + i, g + i)
    prefetchAhead(codes + i, bits: 8)
    let g = decayed(g + i, p + i) { decayed($0, $1, rule) }
    let newB = each(interleaved(signedBytes(codes + i, buffer.map.bytePlanes)), g) {
      bits(buffers(_mm512_mul_ps(floats($0), scale), floats($1), rule))
    }
    store(newB, to: buffer.nextValues + i)
    maximum = largest(maximum, magnitudes(newB))
    i &+= 64
  }
  return largestLanes(maximum, maximum).0
}

@inline(__always)
private func moveAndEncode(
  _ run: BlockRun, _ block: Int, _ group: ShortGroup, _ buffer: ByteMoment, _ map: BinVectors, _ factor: __m512,
  _ rule: MomentumVectors
) {
  let start = block &* run.blockSize
  let count = run.length(of: block)
  var (p, g, codes) = (run.parameters + start, run.gradients + start, buffer.codes + start)
  let b = buffer.values
  var i = 0
  while i < count {
    if start &+ i == group.start {
      (p, g, codes) = (group.parameters - i, UnsafePointer(group.gradients - i), group.firstCodes - i)
    }
    @inline(__always) func move(_ offset: Int) {
      let i = i &+ offset
      let oldP = load(p + i)
      store(moved(oldP, decayed(load(g + i), oldP, rule), load(b + i), rule), to: p + i)
    }
    let values = products(b + i, factor)
    let halves = upperHalves(values)
    move(0)
    let regions = regions(upperHalves: magnitudes(upperHalves: halves), map)
    move(16)
    let cells = cells(magnitudes(values), regions, map)
    move(32)
    move(48)
    store(signedCodes(cells, upperBytes(regions), upperBytes(halves)), to: codes + i)
    i &+= 64
  }
}

/// 64 gradients, with the decay that is added to them.
@inline(__always)
private func decayed(
  _ gradients: UnsafePointer<Float>, _ parameters: UnsafePointer<Float>, _ sum: (__m512, __m512) -> __m512
) -> Four {
  @inline(__always) func sixteen(_ i: Int) -> __m512i { bits(sum(load(gradients + i), load(parameters + i))) }
  return (sixteen(0), sixteen(16), sixteen(32), sixteen(48))
}

/// Asks for the lines of 64 elements that come later.
@inline(__always)
private func prefetchAhead(_ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>) {
  var i = 0
  while i < 64 {
    TileKernels.prefetchAhead(parameters + i)
    TileKernels.prefetchAhead(gradients + i)
    i &+= 16
  }
}

/// Of half words in pairs, in the order of packing.
@inline(__always)
private func upperBytes(_ pairs: Two) -> __m512i {
  let order = SIMD64<UInt8>(
    1, 5, 9, 13, 3, 7, 11, 15, 65, 69, 73, 77, 67, 71, 75, 79, 17, 21, 25, 29, 19, 23, 27, 31, 81, 85, 89, 93, 83, 87,
    91, 95, 33, 37, 41, 45, 35, 39, 43, 47, 97, 101, 105, 109, 99, 103, 107, 111, 49, 53, 57, 61, 51, 55, 59, 63, 113,
    117, 121, 125, 115, 119, 123, 127)
  return _mm512_permutex2var_epi8(pairs.0, unsafeBitCast(order, to: __m512i.self), pairs.1)
}

@inline(__always)
private func magnitudes(_ values: Four) -> Four { each(values) { magnitudeBits(floats($0)) } }

@inline(__always)
private func largest(_ maximum: __m512i, _ values: Four) -> __m512i {
  _mm512_max_epu32(
    _mm512_max_epu32(maximum, _mm512_max_epu32(values.0, values.1)), _mm512_max_epu32(values.2, values.3))
}
#endif
