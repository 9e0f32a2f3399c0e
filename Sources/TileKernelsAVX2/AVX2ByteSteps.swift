// Steps over 8-bit codes go twice over each block. The first pass makes the new moments and finds the scales. The second
// moves the parameters and encodes; meanwhile the general registers, idle in all of this, look up the next block's values.
// Until the second pass nothing but scratch memory has been written: a block out of the ordinary can start again.
#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

@inline(never)
package func avx2AdamOnBytes(
  _ run: BlockRun, _ first: ByteMoment, _ second: ByteMoment, _ constants: AdamConstants
) -> Int {
  guard first.map.isSigned && !second.map.isSigned && run.blockSize & 31 == 0 else { return run.firstBlock }
  return constants.withDecayTerms {
    adam(
      run.withoutShortBlock(32), first, decadeVectors(first.map.decades), second, decadeVectors(second.map.decades),
      adamVectors(constants, $0))
  }
}

@inline(__always)
private func adam(
  _ run: BlockRun, _ first: ByteMoment, _ firstMap: DecadeVectors, _ second: ByteMoment, _ secondMap: DecadeVectors,
  _ rule: AdamVectors
) -> Int {
  let (m, v) = (first.values, second.values)
  var block = run.firstBlock
  first.lookUp(run, block)
  second.lookUp(run, block)
  while block < run.endBlock {
    let start = block &* run.blockSize
    let count = run.length(of: block)
    let (p, g) = (run.parameters + start, run.gradients + start)
    let (firstCodes, secondCodes) = (first.codes + start, second.codes + start)

    let firstScale = _mm256_set1_ps(first.scales[block])
    let secondScale = _mm256_set1_ps(second.scales[block])
    var firstMaximum = _mm256_setzero_si256()
    var secondMaximum = firstMaximum
    var i = 0
    while i < count {
      @inline(__always) func makeMoments(_ offset: Int) {
        let i = i &+ offset
        let g = decayed(load(g + i), load(p + i), rule)
        let newM = firstMoments(_mm256_mul_ps(load(m + i), firstScale), g, rule)
        let newV = secondMoments(_mm256_mul_ps(load(v + i), secondScale), g, rule)
        store(newM, to: m + i)
        store(newV, to: v + i)
        firstMaximum = _mm256_max_epu32(firstMaximum, magnitudeBits(newM))
        secondMaximum = _mm256_max_epu32(secondMaximum, bits(newV))
      }
      prefetchAhead(p + i)
      prefetchAhead(g + i)
      makeMoments(0)
      makeMoments(8)
      i &+= 16
    }
    let (firstBits, secondBits) = (largestLane(firstMaximum), largestLane(secondMaximum))
    // Finite first moments mean finite gradients. Infinity, no number and negative second moments are larger bits.
    guard firstBits < Float.infinity.bitPattern && secondBits < Float.infinity.bitPattern else { return block }

    let secondReciprocal = second.newReciprocal(block, count, secondBits)
    let firstFactor = _mm256_set1_ps(first.newReciprocal(block, count, firstBits))
    let secondFactor = _mm256_set1_ps(secondReciprocal)
    let nextCount = run.lengthAfter(block)
    // Whose new values are wanted once more, by `keepPositive`.
    let nextSecondCount = secondReciprocal < 1 ? 0 : nextCount
    i = 0
    while i < count {
      @inline(__always) func move(_ offset: Int) {
        let i = i &+ offset
        store(moved(load(p + i), load(m + i), load(v + i), rule), to: p + i)
      }
      prefetchAhead(firstCodes + i, bits: 8)
      prefetchAhead(secondCodes + i, bits: 8)
      storeSignedCodes(m + i, firstFactor, firstMap, to: firstCodes + i)
      move(0)
      move(8)
      move(16)
      move(24)
      if i < nextCount { first.lookUp32(start &+ count, i) }
      storeUnsignedCodes(v + i, secondFactor, secondMap, to: secondCodes + i)
      if i < nextSecondCount { second.lookUp32(start &+ count, i) }
      i &+= 32
    }
    block &+= 1
    if secondReciprocal < 1 {
      keepPositive(v, count, secondCodes)
      second.lookUp(run, block)
    }
  }
  return block
}

@inline(never)
package func avx2MomentumOnBytes(_ run: BlockRun, _ buffer: ByteMoment, _ constants: MomentumConstants) -> Int {
  guard buffer.map.isSigned && run.blockSize & 31 == 0 else { return run.firstBlock }
  return constants.withTerms {
    momentum(run.withoutShortBlock(32), buffer, decadeVectors(buffer.map.decades), momentumVectors(constants, $0))
  }
}

@inline(__always)
private func momentum(
  _ run: BlockRun, _ buffer: ByteMoment, _ map: DecadeVectors, _ rule: MomentumVectors
) -> Int {
  let b = buffer.values
  var block = run.firstBlock
  buffer.lookUp(run, block)
  while block < run.endBlock {
    let start = block &* run.blockSize
    let count = run.length(of: block)
    let (p, g, codes) = (run.parameters + start, run.gradients + start, buffer.codes + start)

    let scale = _mm256_set1_ps(buffer.scales[block])
    var maximum = _mm256_setzero_si256()
    var i = 0
    while i < count {
      @inline(__always) func makeBuffers(_ offset: Int) {
        let i = i &+ offset
        let g = decayed(load(g + i), load(p + i), rule)
        let newB = buffers(_mm256_mul_ps(load(b + i), scale), g, rule)
        store(newB, to: b + i)
        maximum = _mm256_max_epu32(maximum, magnitudeBits(newB))
      }
      prefetchAhead(p + i)
      prefetchAhead(g + i)
      makeBuffers(0)
      makeBuffers(8)
      i &+= 16
    }
    let maximumBits = largestLane(maximum)
    guard maximumBits < Float.infinity.bitPattern else { return block }

    let factor = _mm256_set1_ps(buffer.newReciprocal(block, count, maximumBits))
    let nextCount = run.lengthAfter(block)
    i = 0
    while i < count {
      @inline(__always) func move(_ offset: Int) {
        let i = i &+ offset
        let oldP = load(p + i)
        store(moved(oldP, decayed(load(g + i), oldP, rule), load(b + i), rule), to: p + i)
      }
      prefetchAhead(codes + i, bits: 8)
      storeSignedCodes(b + i, factor, map, to: codes + i)
      move(0)
      move(8)
      move(16)
      move(24)
      if i < nextCount { buffer.lookUp32(start &+ count, i) }
      i &+= 32
    }
    block &+= 1
  }
  return block
}

extension ByteMoment {
  @inline(__always)
  fileprivate func lookUp32(_ start: Int, _ i: Int) {
    @inline(__always) func eight(_ offset: Int) {
      lookUpFour(start, i &+ offset)
      lookUpFour(start, i &+ offset &+ 4)
    }
    eight(0)
    eight(8)
    eight(16)
    eight(24)
  }
}

@inline(__always)
private func largestLane(_ vector: __m256i) -> UInt32 {
  @inline(__always) func larger(_ a: __m256i, _ order: SIMD8<Int32>) -> __m256i {
    _mm256_max_epu32(a, _mm256_permutevar8x32_epi32(a, unsafeBitCast(order, to: __m256i.self)))
  }
  let of2 = larger(vector, SIMD8(4, 5, 6, 7, 0, 1, 2, 3))
  let of4 = larger(of2, SIMD8(2, 3, 0, 1, 2, 3, 0, 1))
  return unsafeBitCast(larger(of4, SIMD8(1, 0, 1, 0, 1, 0, 1, 0)), to: SIMD8<UInt32>.self)[0]
}
#endif
