// Adam with second moments that have one scale vector a dimension. As with 4-bit codes in blocks, each pass goes over a
// block twice, and the first time writes nothing but scratch memory: blocks out of the ordinary start again, stage by
// stage. The second pass splits the divider's work in two: square roots while the new moments are made, quotients while
// they are encoded.
//
// A block inside one row has its column scales side by side, and the next block often lies in the same row: finding the
// row anew each time would be a tenth of the step. For other blocks each element's scale is found first; then all rows,
// however short, are alike.
#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

// MARK: - First pass

@inline(never)
package func avx512RaiseAdamSlices(
  _ run: BlockRun, _ second: SliceMoment, _ maxima: UnsafeMutablePointer<Int32>, _ constants: AdamConstants
) {
  constants.withDecayTerms { raise(run, second, maxima, adamVectors(constants, $0), constants) }
}

@inline(__always)
private func raise(
  _ run: BlockRun, _ second: SliceMoment, _ maxima: UnsafeMutablePointer<Int32>, _ rule: AdamVectors,
  _ constants: AdamConstants
) {
  let reader = codeReader(bits: 4)
  let table = load(second.map.values)
  let v = second.values
  // The row in hand, from where on and up to where, and its own scale.
  var row = RowWalk(second.geometry, from: 0, count: 0, second.walkMemory)
  var (rowStart, rowEnd) = (0, 0)
  var ownScale = table
  for block in run.firstBlock..<run.endBlock {
    let start = block &* run.blockSize
    let count = min(run.blockSize, run.count &- start)
    ordinary: if count & 15 == 0 {
      let (p, g, codes) = (run.parameters + start, run.gradients + start, second.codes + start / 2)
      if start &+ count > rowEnd {
        row = RowWalk(second.geometry, from: start, count: count, second.walkMemory)
        _ = row.advance()
        (rowStart, rowEnd) = (start, start &+ row.rowEnd)
        ownScale = _mm512_set1_ps(row.smallest(second.scales))
      }
      let isInOneRow = start &+ count <= rowEnd
      let distance = start &- rowStart
      var (columnScales, rowScale) = (row.columns(second.scales) + distance, ownScale)
      if !isInOneRow {
        (columnScales, rowScale) = (UnsafePointer(v), _mm512_set1_ps(.infinity))
        spreadScales(second, start, count, to: v)
        rowEnd = 0
      }

      var maximum = _mm512_setzero_si512()
      var i = 0
      while i < count {
        let scales = _mm512_min_ps(load(columnScales + i), rowScale)
        let oldV = _mm512_mul_ps(_mm512_permutexvar_ps(sixteenCodes(codes, from: i, reader), table), scales)
        let newV = secondMoments(oldV, decayed(load(g + i), load(p + i), rule), rule)
        store(newV, to: v + i)
        maximum = _mm512_max_epu32(maximum, bits(newV))
        i &+= 16
      }
      let (maximumBits, _) = largestLanes(maximum, maximum)
      // Finite second moments mean finite gradients. Infinity, no number and negative second moments are larger bits.
      guard maximumBits < Float.infinity.bitPattern else { break ordinary }

      if isInOneRow {
        raiseColumns(row.columns(maxima) + distance, v, count)
        row.raise(maxima, to: Int32(bitPattern: maximumBits))
      } else {
        raiseSlicesStage(v, second.geometry, start, count, maxima, second.walkMemory)
      }
      continue
    }
    raiseByStages(run.only(block), second, maxima, constants)
    rowEnd = 0
  }
}

/// For a multiple of sixteen values that are not negative.
@inline(__always)
private func raiseColumns(
  _ columns: UnsafeMutablePointer<Int32>, _ values: UnsafePointer<Float>, _ count: Int
) {
  var i = 0
  while i < count {
    let sixteen = UnsafeMutableRawPointer(columns + i)
    let old = sixteen.loadUnaligned(as: __m512i.self)
    sixteen.storeBytes(of: _mm512_max_epi32(old, bits(load(values + i))), as: __m512i.self)
    i &+= 16
  }
}

// MARK: - Second pass

@inline(never)
package func avx512AdamOnSlices(
  _ run: BlockRun, _ first: NibbleMoment, _ second: SliceMoment, _ constants: AdamConstants
) -> Int {
  // The second moment's new codes, one a byte, until the block is known to be an ordinary one.
  withUnsafeTemporaryAllocation(of: SIMD64<UInt8>.self, capacity: largestBlock / 64) { codes in
    sliceStep(run, first, second, UnsafeMutableRawPointer(codes.baseAddress!), constants)
  }
}

/// Not inside the closure above, which the compiler would make a weak function of.
@inline(never)
func sliceStep(
  _ run: BlockRun, _ first: NibbleMoment, _ second: SliceMoment, _ newCodes: UnsafeMutableRawPointer,
  _ constants: AdamConstants
) -> Int {
  constants.withDecayTerms { sliceStep(run, first, second, newCodes, adamVectors(constants, $0), constants) }
}

/// More does not fit on the stack without asking.
@inline(__always)
private var largestBlock: Int { 1024 }

@inline(__always)
private func sliceStep(
  _ run: BlockRun, _ first: NibbleMoment, _ second: SliceMoment, _ newCodes: UnsafeMutableRawPointer,
  _ rule: AdamVectors, _ constants: AdamConstants
) -> Int {
  let isSecondLinear = second.map.vectors.pointee.isLinear
  let reader = codeReader(bits: 4)
  let search = thresholdSearch(first.map)
  let secondTable = load(second.map.values)
  let (m, d) = (first.values, second.values)
  var row = RowWalk(second.geometry, from: 0, count: 0, second.walkMemory)
  var (rowStart, rowEnd) = (0, 0)
  var (ownScale, ownReciprocal) = (secondTable, secondTable)
  var skippedCount = 0
  for block in run.firstBlock..<run.endBlock {
    let start = block &* run.blockSize
    let count = min(run.blockSize, run.count &- start)
    ordinary: if count & 63 == 0 && count <= largestBlock && isSecondLinear {
      let (p, g) = (run.parameters + start, run.gradients + start)
      let (firstCodes, secondCodes) = (first.codes + start / 2, second.codes + start / 2)
      if start &+ count > rowEnd {
        row = RowWalk(second.geometry, from: start, count: count, second.walkMemory)
        _ = row.advance()
        (rowStart, rowEnd) = (start, start &+ row.rowEnd)
        ownScale = _mm512_set1_ps(row.smallest(second.scales))
        ownReciprocal = _mm512_set1_ps(row.largest(second.reciprocals))
      }
      let distance = start &- rowStart
      var (columnScales, rowScale) = (row.columns(second.scales) + distance, ownScale)
      var (columnReciprocals, rowReciprocal) = (row.columns(second.reciprocals) + distance, ownReciprocal)
      if start &+ count > rowEnd {
        (columnScales, rowScale) = (UnsafePointer(m), _mm512_set1_ps(.infinity))
        (columnReciprocals, rowReciprocal) = (UnsafePointer(d), _mm512_setzero_ps())
        spreadScales(second, start, count, to: m)
        spreadReciprocals(second, start, count, to: d)
        rowEnd = 0
      }

      let firstTable = levels(first.map, scale: first.scales[block])
      var firstMaximum = _mm512_setzero_si512()
      var secondMaximum = firstMaximum
      var i = 0
      while i < count {
        let scales = _mm512_min_ps(load(columnScales + i), rowScale)
        let reciprocals = _mm512_max_ps(load(columnReciprocals + i), rowReciprocal)
        let g = decayed(load(g + i), load(p + i), rule)
        let oldV = _mm512_mul_ps(
          _mm512_permutexvar_ps(sixteenCodes(secondCodes, from: i, reader), secondTable), scales)
        let newM = firstMoments(_mm512_permutexvar_ps(sixteenCodes(firstCodes, from: i, reader), firstTable), g, rule)
        let newV = secondMoments(oldV, g, rule)
        store(newM, to: m + i)
        store(denominators(newV, rule), to: d + i)
        let codes = _mm512_cvtepi32_epi8(linearCodes(_mm512_mul_ps(newV, reciprocals)))
        (newCodes + i).storeBytes(of: codes, as: __m128i.self)
        firstMaximum = _mm512_max_epu32(firstMaximum, magnitudeBits(newM))
        secondMaximum = _mm512_max_epu32(secondMaximum, bits(newV))
        i &+= 16
      }
      let (firstBits, secondBits) = largestLanes(firstMaximum, secondMaximum)
      // Then gradients are finite too, and there is nothing to saturate.
      guard firstBits < Float.infinity.bitPattern && secondBits < Float.infinity.bitPattern else { break ordinary }

      let factor = _mm512_set1_ps(first.newReciprocal(block, count, firstBits))
      @inline(__always) func sixteen(_ i: Int) -> __m512i {
        let m = load(m + i)
        store(moved(load(p + i), m, denominators: load(d + i), rule), to: p + i)
        return searched(_mm512_mul_ps(m, factor), search)
      }
      i = 0
      while i < count {
        let firstPairs = nibblePairs(sixteen(i), sixteen(i &+ 16), sixteen(i &+ 32), sixteen(i &+ 48))
        let secondPairs = _mm512_maddubs_epi16((newCodes + i).load(as: __m512i.self), _mm512_set1_epi16(0x1001))
        let bytes = orderedHalves(firstPairs, secondPairs)
        UnsafeMutableRawPointer(firstCodes + i / 2).storeBytes(of: bytes.lowHalf, as: SIMD4<Int64>.self)
        UnsafeMutableRawPointer(secondCodes + i / 2).storeBytes(of: bytes.highHalf, as: SIMD4<Int64>.self)
        i &+= 64
      }
      continue
    }
    skippedCount &+= adamByStages(run.only(block), first, second, constants)
    rowEnd = 0
  }
  return skippedCount
}

/// The bytes that `nibblePairs` has made, in order, and then those of words that are in order.
@inline(__always)
private func orderedHalves(_ pairs: __m512i, _ ordered: __m512i) -> __m512i {
  // In quarter q there now are the q-th two bytes of four registers, and eight bytes of `ordered`.
  let bytes = _mm512_packus_epi16(pairs, ordered)
  let order = SIMD32<UInt16>(
    0, 8, 16, 24, 1, 9, 17, 25, 2, 10, 18, 26, 3, 11, 19, 27, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31
  )
  return _mm512_permutexvar_epi16(unsafeBitCast(order, to: __m512i.self), bytes)
}

// MARK: - Rows that do not hold the block

// Called seldom or for long. They are not private, because private functions become weak ones in release builds.

/// Each element's scale: the smallest of its slices'.
@inline(never)
func spreadScales(_ moment: SliceMoment, _ start: Int, _ count: Int, to scales: UnsafeMutablePointer<Float>) {
  var walk = RowWalk(moment.geometry, from: start, count: count, moment.walkMemory)
  while walk.advance() {
    let (part, row, columns) = (scales + walk.offset, walk.smallest(moment.scales), walk.columns(moment.scales))
    for i in 0..<walk.length { part[i] = columns[i] < row ? columns[i] : row }
  }
}

/// Each element's reciprocal: the largest of its slices'.
@inline(never)
func spreadReciprocals(
  _ moment: SliceMoment, _ start: Int, _ count: Int, to reciprocals: UnsafeMutablePointer<Float>
) {
  var walk = RowWalk(moment.geometry, from: start, count: count, moment.walkMemory)
  while walk.advance() {
    let (row, columns) = (walk.largest(moment.reciprocals), walk.columns(moment.reciprocals))
    let part = reciprocals + walk.offset
    for i in 0..<walk.length { part[i] = columns[i] > row ? columns[i] : row }
  }
}
#endif
