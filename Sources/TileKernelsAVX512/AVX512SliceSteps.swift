// The second pass of Adam over second moments that have one scale vector a dimension. As with 4-bit codes in blocks, one
// loop encodes a block and makes the next one's moments, and blocks out of the ordinary start again, stage by stage. The
// scales being known, second moments are encoded as soon as they are made: only their codes, and what the first moments
// are divided by, wait in scratch memory.
#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

@inline(never)
package func avx512AdamOnSlices(
  _ run: BlockRun, _ first: NibbleMoment, _ second: SliceMoment, _ constants: AdamConstants
) -> Int {
  withStackMemory(largestBlock / 64, 2) { adamOnSlices(run, first, second, $0, $1, constants) }
}

@inline(never)
func adamOnSlices(
  _ run: BlockRun, _ first: NibbleMoment, _ second: SliceMoment, _ newCodes: UnsafeMutableRawPointer,
  _ indices: UnsafeMutableRawPointer, _ constants: AdamConstants
) -> Int {
  constants.withDecayTerms { terms in
    let rule = adamVectors(constants, terms)
    return withSearch(first.map.vectors) { step(run, first, second, newCodes, indices, constants, rule, $0) }
  }
}

/// The codes of more do not fit on the stack without asking.
@inline(__always)
private var largestBlock: Int { 1024 }

@inline(__always)
private func step(
  _ run: BlockRun, _ first: NibbleMoment, _ second: SliceMoment, _ newCodes: UnsafeMutableRawPointer,
  _ indices: UnsafeMutableRawPointer, _ constants: AdamConstants, _ rule: AdamVectors, _ search: NibbleSearch
) -> Int {
  let isOrdinary = run.blockSize <= largestBlock && second.map.vectors.pointee.isLinear
  let table = load(second.map.values)
  let (m, d) = (first.values, second.values)
  var row = noRow(second)
  var areMomentsMade = false
  var (firstMaximum, secondMaximum) = (_mm512_setzero_si512(), _mm512_setzero_si512())
  var next = sliceBlock(run.firstBlock, run, first, second, row, rule)
  var skippedCount = 0
  var number = run.firstBlock
  while number < run.endBlock {
    let start = number &* run.blockSize
    let count = run.length(of: number)
    ordinary: if isOrdinary && count & 63 == 0 {
      if !areMomentsMade {
        let isInOneRow = enterRow(&row, at: start, count, second)
        next = sliceBlock(number, run, first, second, row, rule)
        if !isInOneRow {
          (next.columnScales, next.rowScale) = (UnsafePointer(m), _mm512_set1_ps(.infinity))
          (next.columnReciprocals, next.rowReciprocal) = (UnsafePointer(d), _mm512_setzero_ps())
          spreadScales(second, start, count, to: m)
          spreadReciprocals(second, start, count, to: d)
        }
        (firstMaximum, secondMaximum) = (_mm512_setzero_si512(), _mm512_setzero_si512())
        var i = 0
        while i < count {
          prefetchAhead(next.firstCodes + i / 2, bits: 4)
          prefetchAhead(next.secondCodes + i / 2, bits: 4)
          spreadCodes(next.firstCodes + i / 2, next.secondCodes + i / 2, to: indices)
          let a = makeSixteen(next, i, 0, m, d, indices, table, rule, &firstMaximum, &secondMaximum)
          let b = makeSixteen(next, i, 1, m, d, indices, table, rule, &firstMaximum, &secondMaximum)
          let c = makeSixteen(next, i, 2, m, d, indices, table, rule, &firstMaximum, &secondMaximum)
          let e = makeSixteen(next, i, 3, m, d, indices, table, rule, &firstMaximum, &secondMaximum)
          store(packedLinear(a, b, c, e), toAligned: newCodes + i)
          i &+= 64
        }
      }
      areMomentsMade = false
      let block = next
      let (firstBits, secondBits) = largestLanes(firstMaximum, secondMaximum)
      // Then gradients are finite too, and there is nothing to saturate.
      guard firstBits < Float.infinity.bitPattern && secondBits < Float.infinity.bitPattern else { break ordinary }

      let factor = _mm512_set1_ps(first.newReciprocal(number, count, firstBits))
      let nextStart = start &+ count
      // The block after may be shorter.
      areMomentsMade =
        number &+ 1 < run.endBlock && nextStart &+ count <= run.count && enterRow(&row, at: nextStart, count, second)
      var i = 0
      if areMomentsMade {
        next = sliceBlock(number &+ 1, run, first, second, row, rule)
        (firstMaximum, secondMaximum) = (_mm512_setzero_si512(), _mm512_setzero_si512())
        while i < count {
          prefetchAhead(next.firstCodes + i / 2, bits: 4)
          prefetchAhead(next.secondCodes + i / 2, bits: 4)
          spreadCodes(next.firstCodes + i / 2, next.secondCodes + i / 2, to: indices)
          let secondCodes = (newCodes + i).load(as: __m512i.self)
          let a = moveSixteen(block, i, m, d, factor, search, rule)
          let newA = makeSixteen(next, i, 0, m, d, indices, table, rule, &firstMaximum, &secondMaximum)
          let b = moveSixteen(block, i &+ 16, m, d, factor, search, rule)
          let newB = makeSixteen(next, i, 1, m, d, indices, table, rule, &firstMaximum, &secondMaximum)
          let c = moveSixteen(block, i &+ 32, m, d, factor, search, rule)
          let newC = makeSixteen(next, i, 2, m, d, indices, table, rule, &firstMaximum, &secondMaximum)
          let e = moveSixteen(block, i &+ 48, m, d, factor, search, rule)
          let newE = makeSixteen(next, i, 3, m, d, indices, table, rule, &firstMaximum, &secondMaximum)
          storeOrdered(
            packed(a, b, c, e, search), to: block.firstCodes + i / 2, secondCodes, to: block.secondCodes + i / 2)
          store(packedLinear(newA, newB, newC, newE), toAligned: newCodes + i)
          i &+= 64
        }
      } else {
        while i < count {
          let a = moveSixteen(block, i, m, d, factor, search, rule)
          let b = moveSixteen(block, i &+ 16, m, d, factor, search, rule)
          let c = moveSixteen(block, i &+ 32, m, d, factor, search, rule)
          let e = moveSixteen(block, i &+ 48, m, d, factor, search, rule)
          storeOrdered(
            packed(a, b, c, e, search), to: block.firstCodes + i / 2, (newCodes + i).load(as: __m512i.self),
            to: block.secondCodes + i / 2)
          i &+= 64
        }
      }
      number &+= 1
      continue
    }
    skippedCount &+= adamByStages(run.only(number), first, second, constants)
    row.end = 0
    number &+= 1
  }
  return skippedCount
}

// MARK: - Sixteen elements

/// Where a block's data and scales are, and what the first moment's codes contribute to the new one.
private typealias SliceBlock = (
  p: UnsafeMutablePointer<Float>, g: UnsafePointer<Float>, firstCodes: UnsafeMutablePointer<UInt8>,
  secondCodes: UnsafeMutablePointer<UInt8>, firstTerms: __m512, columnScales: UnsafePointer<Float>,
  columnReciprocals: UnsafePointer<Float>, rowScale: __m512, rowReciprocal: __m512
)

/// For a block in the row in hand.
@inline(__always)
private func sliceBlock(
  _ number: Int, _ run: BlockRun, _ first: NibbleMoment, _ second: SliceMoment, _ row: RowInHand, _ rule: AdamVectors
) -> SliceBlock {
  let start = number &* run.blockSize
  let distance = start &- row.start
  return (
    p: run.parameters + start, g: run.gradients + start, firstCodes: first.codes + start / 2,
    secondCodes: second.codes + start / 2,
    firstTerms: _mm512_mul_ps(rule.beta1, levels(first.map, scale: first.scales[number])),
    columnScales: row.walk.columns(second.scales) + distance,
    columnReciprocals: row.walk.columns(second.reciprocals) + distance,
    rowScale: _mm512_set1_ps(row.walk.smallest(second.scales)),
    rowReciprocal: _mm512_set1_ps(row.walk.largest(second.reciprocals))
  )
}

/// Returns what the new second moments' codes are made of.
@inline(__always)
private func makeSixteen(
  _ block: SliceBlock, _ i: Int, _ quarter: Int, _ m: UnsafeMutablePointer<Float>, _ d: UnsafeMutablePointer<Float>,
  _ indices: UnsafeMutableRawPointer, _ table: __m512, _ rule: AdamVectors, _ firstMaximum: inout __m512i,
  _ secondMaximum: inout __m512i
) -> __m512i {
  let i = i &+ 16 &* quarter
  prefetchAhead(block.g + i)
  prefetchAhead(block.p + i)
  let codes = spreadSixteen(indices, quarter)
  let scales = _mm512_min_ps(load(block.columnScales + i), block.rowScale)
  let reciprocals = _mm512_max_ps(load(block.columnReciprocals + i), block.rowReciprocal)
  let g = decayed(load(block.g + i), load(block.p + i), rule)
  let newM = firstMoments(terms: _mm512_permutexvar_ps(codes.first, block.firstTerms), g, rule)
  let newV = secondMoments(_mm512_mul_ps(_mm512_permutexvar_ps(codes.second, table), scales), g, rule)
  store(newM, to: m + i)
  store(denominators(newV, rule), to: d + i)
  firstMaximum = _mm512_max_epu32(firstMaximum, magnitudeBits(newM))
  secondMaximum = _mm512_max_epu32(secondMaximum, bits(newV))
  return linearSums(_mm512_mul_ps(newV, reciprocals))
}

/// Returns what the first moments' codes are made of.
@inline(__always)
private func moveSixteen(
  _ block: SliceBlock, _ i: Int, _ m: UnsafeMutablePointer<Float>, _ d: UnsafeMutablePointer<Float>,
  _ factor: __m512, _ search: NibbleSearch, _ rule: AdamVectors
) -> __m512i {
  let m = load(m + i)
  store(moved(load(block.p + i), m, denominators: load(d + i), rule), to: block.p + i)
  return keys(_mm512_mul_ps(m, factor), search)
}
#endif
