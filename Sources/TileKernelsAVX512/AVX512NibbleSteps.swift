// Steps over 4-bit codes go twice over each block. The first pass makes the new moments and finds the scales; the second
// moves the parameters and encodes. The second pass over one block and the first over the next are one loop: what each
// waits for, the divider and then the new scales, the other fills with work. Until a block's scales are known, nothing but
// scratch memory has been written: blocks out of the ordinary start again, stage by stage.
#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

@inline(never)
package func avx512AdamOnNibbles(
  _ run: BlockRun, _ first: NibbleMoment, _ second: NibbleMoment, _ constants: AdamConstants
) -> Int {
  guard run.blockSize & 63 == 0 && second.map.vectors.pointee.isLinear else {
    return adamByStages(run, first, second, constants)
  }
  return withStackMemory(4, largestShortBlock / 8) { adamOnBlocks(run, first, second, $0, $1, constants) }
}

@inline(never)
func adamOnBlocks(
  _ run: BlockRun, _ first: NibbleMoment, _ second: NibbleMoment, _ codes: UnsafeMutableRawPointer,
  _ values: UnsafeMutableRawPointer, _ constants: AdamConstants
) -> Int {
  var whole = run
  let wholeCount = run.count / run.blockSize
  if wholeCount < run.endBlock { whole.endBlock = wholeCount }
  var skippedCount = 0
  if whole.firstBlock < whole.endBlock { skippedCount = adamOnWholeBlocks(whole, first, second, codes, constants) }
  if whole.endBlock < run.endBlock {
    let last = run.only(whole.endBlock)
    skippedCount &+=
      last.length(of: last.firstBlock) <= largestShortBlock
      ? adamOnShortBlock(last, first, second, codes, values, constants)
      : adamByStages(last, first, second, constants)
  }
  return skippedCount
}

@inline(never)
func adamOnWholeBlocks(
  _ run: BlockRun, _ first: NibbleMoment, _ second: NibbleMoment, _ indices: UnsafeMutableRawPointer,
  _ constants: AdamConstants
) -> Int {
  constants.withDecayTerms { terms in
    let rule = adamVectors(constants, terms)
    return withSearch(first.map.vectors) { wholeBlocks(run, first, second, indices, constants, rule, $0) }
  }
}

/// For blocks of a multiple of 64 elements.
@inline(__always)
private func wholeBlocks(
  _ run: BlockRun, _ first: NibbleMoment, _ second: NibbleMoment, _ indices: UnsafeMutableRawPointer,
  _ constants: AdamConstants, _ rule: AdamVectors, _ search: NibbleSearch
) -> Int {
  let count = run.blockSize
  let (m, v) = (first.values, second.values)
  var skippedCount = 0
  var next = adamBlock(run.firstBlock, run, first, second, rule)
  var areMomentsMade = false
  var maxima = noMaxima
  var number = run.firstBlock
  while number < run.endBlock {
    let block = next
    if !areMomentsMade {
      maxima = noMaxima
      var i = 0
      while i < count {
        makeMoments(block, i, m, v, indices, rule, &maxima)
        i &+= 64
      }
    }
    let (firstBits, secondBits) = largestLanes(maxima.first, maxima.second)
    let isLast = number &+ 1 == run.endBlock
    if !isLast { next = adamBlock(number &+ 1, run, first, second, rule) }
    // Finite first moments mean finite gradients. Infinity, no number and negative second moments are larger bits.
    areMomentsMade = firstBits < Float.infinity.bitPattern && secondBits < Float.infinity.bitPattern
    if areMomentsMade {
      let firstFactor = _mm512_set1_ps(first.newReciprocal(number, count, firstBits))
      let secondFactor = _mm512_set1_ps(second.newReciprocal(number, count, secondBits))
      let encoder = (first: firstFactor, second: secondFactor, search: search)
      var i = 0
      if isLast {
        while i < count {
          moveAndEncode(block, i, m, v, encoder, rule)
          i &+= 64
        }
      } else {
        maxima = noMaxima
        while i < count {
          moveEncodeAndMakeNext(block, next, i, m, v, indices, encoder, rule, &maxima)
          i &+= 64
        }
      }
    } else {
      skippedCount &+= adamByStages(run.only(number), first, second, constants)
    }
    number &+= 1
  }
  return skippedCount
}

// MARK: - The passes over 64 elements

/// Where a block's data are, and what its codes contribute to the new moments.
private typealias AdamBlock = (
  p: UnsafeMutablePointer<Float>, g: UnsafePointer<Float>, firstCodes: UnsafeMutablePointer<UInt8>,
  secondCodes: UnsafeMutablePointer<UInt8>, firstTerms: __m512, secondTerms: __m512
)

@inline(__always)
private func adamBlock(
  _ block: Int, _ run: BlockRun, _ first: NibbleMoment, _ second: NibbleMoment, _ rule: AdamVectors
) -> AdamBlock {
  let start = block &* run.blockSize
  return (
    p: run.parameters + start, g: run.gradients + start, firstCodes: first.codes + start / 2,
    secondCodes: second.codes + start / 2,
    firstTerms: _mm512_mul_ps(rule.beta1, levels(first.map, scale: first.scales[block])),
    secondTerms: _mm512_mul_ps(rule.beta2, levels(second.map, scale: second.scales[block]))
  )
}

/// The largest new moments, as bits without their signs.
private typealias Maxima = (first: __m512i, second: __m512i)

@inline(__always)
private var noMaxima: Maxima { (first: _mm512_setzero_si512(), second: _mm512_setzero_si512()) }

/// The reciprocals of the new scales.
private typealias AdamEncoder = (first: __m512, second: __m512, search: NibbleSearch)

@inline(__always)
private func makeMoments(
  _ block: AdamBlock, _ i: Int, _ m: UnsafeMutablePointer<Float>, _ v: UnsafeMutablePointer<Float>,
  _ indices: UnsafeMutableRawPointer, _ rule: AdamVectors, _ maxima: inout Maxima
) {
  spreadCodes(block.firstCodes + i / 2, block.secondCodes + i / 2, to: indices)
  for quarter in 0..<4 { makeSixteen(block, i, quarter, m, v, indices, rule, &maxima) }
}

@inline(__always)
private func makeSixteen(
  _ block: AdamBlock, _ i: Int, _ quarter: Int, _ m: UnsafeMutablePointer<Float>, _ v: UnsafeMutablePointer<Float>,
  _ indices: UnsafeMutableRawPointer, _ rule: AdamVectors, _ maxima: inout Maxima
) {
  let i = i &+ 16 &* quarter
  prefetchAhead(block.g + i)
  prefetchAhead(block.p + i)
  let codes = spreadSixteen(indices, quarter)
  let g = decayed(load(block.g + i), load(block.p + i), rule)
  let newM = firstMoments(terms: _mm512_permutexvar_ps(codes.first, block.firstTerms), g, rule)
  let newV = secondMoments(terms: _mm512_permutexvar_ps(codes.second, block.secondTerms), g, rule)
  store(newM, to: m + i)
  store(newV, to: v + i)
  maxima.first = _mm512_max_epu32(maxima.first, magnitudeBits(newM))
  maxima.second = _mm512_max_epu32(maxima.second, bits(newV))
}

@inline(__always)
private func moveAndEncode(
  _ block: AdamBlock, _ i: Int, _ m: UnsafeMutablePointer<Float>, _ v: UnsafeMutablePointer<Float>,
  _ encoder: AdamEncoder, _ rule: AdamVectors
) {
  @inline(__always) func sixteen(_ quarter: Int) -> (__m512i, __m512i) {
    moveSixteen(block, i &+ 16 &* quarter, m, v, encoder, rule)
  }
  storeCodes(block, i, sixteen(0), sixteen(1), sixteen(2), sixteen(3), encoder)
}

/// The one block's second pass and the next one's first, sixteen by sixteen: the new moments take the place of those that
/// have just been encoded.
@inline(__always)
private func moveEncodeAndMakeNext(
  _ block: AdamBlock, _ next: AdamBlock, _ i: Int, _ m: UnsafeMutablePointer<Float>,
  _ v: UnsafeMutablePointer<Float>, _ indices: UnsafeMutableRawPointer, _ encoder: AdamEncoder, _ rule: AdamVectors,
  _ maxima: inout Maxima
) {
  prefetchAhead(next.firstCodes + i / 2, bits: 4)
  prefetchAhead(next.secondCodes + i / 2, bits: 4)
  spreadCodes(next.firstCodes + i / 2, next.secondCodes + i / 2, to: indices)
  let a = moveSixteen(block, i, m, v, encoder, rule)
  makeSixteen(next, i, 0, m, v, indices, rule, &maxima)
  let b = moveSixteen(block, i &+ 16, m, v, encoder, rule)
  makeSixteen(next, i, 1, m, v, indices, rule, &maxima)
  let c = moveSixteen(block, i &+ 32, m, v, encoder, rule)
  makeSixteen(next, i, 2, m, v, indices, rule, &maxima)
  let d = moveSixteen(block, i &+ 48, m, v, encoder, rule)
  makeSixteen(next, i, 3, m, v, indices, rule, &maxima)
  storeCodes(block, i, a, b, c, d, encoder)
}

/// Returns what the moments' codes are made of.
@inline(__always)
private func moveSixteen(
  _ block: AdamBlock, _ i: Int, _ m: UnsafeMutablePointer<Float>, _ v: UnsafeMutablePointer<Float>,
  _ encoder: AdamEncoder, _ rule: AdamVectors
) -> (__m512i, __m512i) {
  let (m, v) = (load(m + i), load(v + i))
  store(moved(load(block.p + i), m, v, rule), to: block.p + i)
  return (keys(_mm512_mul_ps(m, encoder.first), encoder.search), linearSums(_mm512_mul_ps(v, encoder.second)))
}

@inline(__always)
private func storeCodes(
  _ block: AdamBlock, _ i: Int, _ a: (__m512i, __m512i), _ b: (__m512i, __m512i), _ c: (__m512i, __m512i),
  _ d: (__m512i, __m512i), _ encoder: AdamEncoder
) {
  storeOrdered(
    packed(a.0, b.0, c.0, d.0, encoder.search), to: block.firstCodes + i / 2,
    packedLinear(a.1, b.1, c.1, d.1), to: block.secondCodes + i / 2)
}

extension NibbleMoment {
  /// Sets the block's scale from its new values, whose largest magnitude is known and finite. Returns its reciprocal.
  @inline(__always)
  func newReciprocal(_ block: Int, _ count: Int, _ absmaxBits: UInt32) -> Float {
    let scale = scaleKind.scale(of: values, count, absmax: Float(bitPattern: absmaxBits))
    scales[block] = scale
    return scaleReciprocal(scale)
  }
}

#endif
