// Adam on blocks of 128 with logarithmic second moments, eight blocks at a time. As with 4-bit codes, a first pass writes
// nothing but scratch memory, and a second one moves the parameters and encodes. Between them the scales of all eight blocks
// are found together: for one block alone that would be a long chain of dependent instructions.
#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

@inline(never)
package func avx512AdamOnLogarithms(
  _ run: BlockRun, _ first: PackedMoment, _ second: LogarithmicMoment, _ scratch: UnsafeMutablePointer<Float>,
  _ constants: AdamConstants
) -> UInt64 {
  let memory = groupMemory(scratch)
  let wholeBlocks = min(run.endBlock, run.count / PackedSteps.blockSize)
  // A short last block.
  var left: UInt64 = wholeBlocks < run.endBlock ? 1 &<< UInt64(truncatingIfNeeded: wholeBlocks &- run.firstBlock) : 0
  var start = run.firstBlock
  var count = min(groupSize, wholeBlocks &- start)
  var index = 0
  while index < count {
    makeMoments(run, start &+ index, index, first, second, scratch, constants)
    index &+= 1
  }
  while count > 0 {
    findScales(memory, count, first.scaleKind, lastCode: (1 &<< Int32(truncatingIfNeeded: second.bits)) &- 1)
    let next = start &+ groupSize
    // The first pass over the next group goes along, block by block, so that memory is read evenly.
    index = 0
    while index < count {
      let block = start &+ index
      if isOrdinary(index, memory) {
        // A function for each pair of constants: the compiler does not inline more loops into one.
        switch (second.bits, constants.decayTerms.areNone) {
        case (2, true): moveAndEncode2(run, block, index, first, second, scratch, constants)
        case (2, false): moveAndEncode2Decaying(run, block, index, first, second, scratch, constants)
        case (3, true): moveAndEncode3(run, block, index, first, second, scratch, constants)
        case (3, false): moveAndEncode3Decaying(run, block, index, first, second, scratch, constants)
        case (_, true): moveAndEncode4(run, block, index, first, second, scratch, constants)
        case (_, false): moveAndEncode4Decaying(run, block, index, first, second, scratch, constants)
        }
      } else {
        left |= 1 &<< UInt64(truncatingIfNeeded: block &- run.firstBlock)
      }
      if next &+ index < wholeBlocks { makeMoments(run, next &+ index, index, first, second, scratch, constants) }
      index &+= 1
    }
    start = next
    count = min(groupSize, wholeBlocks &- start)
  }
  return left
}

// MARK: - First pass

/// Leaves a block's new moments, and what its scales follow from, in scratch memory.
@inline(never)
private func makeMoments(
  _ run: BlockRun, _ block: Int, _ index: Int, _ first: PackedMoment, _ second: LogarithmicMoment,
  _ scratch: UnsafeMutablePointer<Float>, _ constants: AdamConstants
) {
  // Two bits are read by fewer instructions.
  if second.bits == 2 {
    if first.bits == 2 {
      makeMoments(run, block, index, first, 2, second, 2, scratch, constants)
    } else {
      makeMoments(run, block, index, first, first.bits, second, 2, scratch, constants)
    }
  } else {
    makeMoments(run, block, index, first, first.bits, second, second.bits, scratch, constants)
  }
}

@inline(__always)
private func makeMoments(
  _ run: BlockRun, _ block: Int, _ index: Int, _ first: PackedMoment, _ firstBits: Int, _ second: LogarithmicMoment,
  _ secondBits: Int, _ scratch: UnsafeMutablePointer<Float>, _ constants: AdamConstants
) {
  if constants.decayTerms.areCoupled {
    makeMoments(run, block, index, first, firstBits, second, secondBits, scratch, adamVectors(constants, .all))
  } else {
    makeMoments(run, block, index, first, firstBits, second, secondBits, scratch, adamVectors(constants, .none))
  }
}

@inline(__always)
private func makeMoments(
  _ run: BlockRun, _ block: Int, _ index: Int, _ first: PackedMoment, _ firstBits: Int, _ second: LogarithmicMoment,
  _ secondBits: Int, _ scratch: UnsafeMutablePointer<Float>, _ rule: AdamVectors
) {
  let memory = groupMemory(scratch)
  let firstReader = codeReader(bits: firstBits)
  let secondReader = codeReader(bits: secondBits)
  let firstTable = _mm512_permutexvar_ps(lanesAsCodes(bits: firstBits), load(first.values))
  let start = block &* PackedSteps.blockSize
  let (p, g) = (run.parameters + start, run.gradients + start)
  let (firstCodes, secondCodes) = (first.codes + start / 8 &* firstBits, second.codes + start / 8 &* secondBits)
  let offset = index &* PackedSteps.blockSize
  let (m, v, d) = (memory.firstMoments + offset, memory.secondMoments + offset, memory.denominators + offset)

  let firstTerms = _mm512_mul_ps(rule.beta1, _mm512_mul_ps(firstTable, _mm512_set1_ps(first.scales[block])))
  let secondTerms = _mm512_mul_ps(
    rule.beta2,
    geometricLevels(second.scales[block], second.bases[block], secondBits, lanesAsCodes(bits: secondBits)))
  prefetchAhead(firstCodes, bits: firstBits)
  prefetchAhead(secondCodes, bits: secondBits)
  let random = randomLanes(second, block)
  var states = random.first
  var firstMaximum = _mm512_setzero_si512()
  var secondMaximum = firstMaximum
  var minima = noMinima
  @inline(__always) func sixteen(_ i: Int) {
    prefetchAhead(g + i)
    let g = decayed(load(g + i), load(p + i), rule)
    let newM = firstMoments(
      terms: _mm512_permutexvar_ps(sixteenCodes(firstCodes, from: i, firstReader), firstTerms), g, rule)
    let newV = secondMoments(
      terms: _mm512_permutexvar_ps(sixteenCodes(secondCodes, from: i, secondReader), secondTerms), g, rule)
    store(newM, to: m + i)
    store(newV, to: v + i)
    store(denominators(newV, rule), to: d + i)
    firstMaximum = _mm512_max_epu32(firstMaximum, magnitudeBits(newM))
    secondMaximum = _mm512_max_epu32(secondMaximum, bits(newV))
    minima = smaller(minima, newV)
  }
  var i = 0
  while i < PackedSteps.blockSize {
    sixteen(i)
    let low = randomBits(&states, random)
    sixteen(i &+ 16)
    store(upperHalves(low, randomBits(&states, random)), to: memory.uniforms + (offset &+ i) / 2)
    i &+= 32
  }
  store(firstMaximum, to: memory.firstMaxima + 16 &* index)
  store(secondMaximum, to: memory.secondMaxima + 16 &* index)
  store(minima, to: memory.minima + 16 &* index)
}

/// Level `codes[lane]` in each lane: the scale, times the base as often as the code says.
@inline(__always)
func geometricLevels(_ scale: Float, _ base: Float, _ bits: Int, _ codes: __m512i) -> __m512 {
  let base = _mm512_set1_ps(base)
  var levels = _mm512_set1_ps(scale)
  var code: Int32 = 1
  while code < 1 &<< Int32(truncatingIfNeeded: bits) {
    let isThere = _mm512_movepi32_mask(_mm512_sub_epi32(_mm512_set1_epi32(code &- 1), codes))
    levels = _mm512_mask_mul_ps(levels, isThere, levels, base)
    code &+= 1
  }
  return levels
}

// MARK: - Second pass

@inline(never)
private func moveAndEncode2(
  _ run: BlockRun, _ block: Int, _ index: Int, _ first: PackedMoment, _ second: LogarithmicMoment,
  _ scratch: UnsafeMutablePointer<Float>, _ constants: AdamConstants
) {
  moveAndEncode(run, block, index, first, second, 2, scratch, adamVectors(constants, .none))
}

@inline(never)
private func moveAndEncode2Decaying(
  _ run: BlockRun, _ block: Int, _ index: Int, _ first: PackedMoment, _ second: LogarithmicMoment,
  _ scratch: UnsafeMutablePointer<Float>, _ constants: AdamConstants
) {
  moveAndEncode(run, block, index, first, second, 2, scratch, adamVectors(constants, .decoupled))
}

@inline(never)
private func moveAndEncode3(
  _ run: BlockRun, _ block: Int, _ index: Int, _ first: PackedMoment, _ second: LogarithmicMoment,
  _ scratch: UnsafeMutablePointer<Float>, _ constants: AdamConstants
) {
  moveAndEncode(run, block, index, first, second, 3, scratch, adamVectors(constants, .none))
}

@inline(never)
private func moveAndEncode3Decaying(
  _ run: BlockRun, _ block: Int, _ index: Int, _ first: PackedMoment, _ second: LogarithmicMoment,
  _ scratch: UnsafeMutablePointer<Float>, _ constants: AdamConstants
) {
  moveAndEncode(run, block, index, first, second, 3, scratch, adamVectors(constants, .decoupled))
}

@inline(never)
private func moveAndEncode4(
  _ run: BlockRun, _ block: Int, _ index: Int, _ first: PackedMoment, _ second: LogarithmicMoment,
  _ scratch: UnsafeMutablePointer<Float>, _ constants: AdamConstants
) {
  moveAndEncode(run, block, index, first, second, 4, scratch, adamVectors(constants, .none))
}

@inline(never)
private func moveAndEncode4Decaying(
  _ run: BlockRun, _ block: Int, _ index: Int, _ first: PackedMoment, _ second: LogarithmicMoment,
  _ scratch: UnsafeMutablePointer<Float>, _ constants: AdamConstants
) {
  moveAndEncode(run, block, index, first, second, 4, scratch, adamVectors(constants, .decoupled))
}

@inline(__always)
private func moveAndEncode(
  _ run: BlockRun, _ block: Int, _ index: Int, _ first: PackedMoment, _ second: LogarithmicMoment, _ secondBits: Int,
  _ scratch: UnsafeMutablePointer<Float>, _ rule: AdamVectors
) {
  let codes = first.codes + block &* PackedSteps.blockSize / 8 &* first.bits
  @inline(__always) func step(_ writeFirst: (Four, Int) -> Void) {
    moveAndEncode(run, block, index, first, second, secondBits, scratch, rule, writeFirst)
  }
  if let vectors = first.vectors {
    withSearch(vectors) { search in step { storeCodes($0, search, to: codes + $1 / 2) } }
  } else if first.bits == 2 {
    let search = thresholdSearch(load(first.thresholds), 2, fromTop: false)
    step { write($0, search, to: codes, at: $1) }
  } else {
    let search = thresholdSearch(load(first.thresholds), 3, fromTop: false)
    step { write($0, search, to: codes, at: $1) }
  }
}

/// - Parameter writeFirst: writes the codes of 64 normalised first moments, those of the block from an element on.
@inline(__always)
private func moveAndEncode(
  _ run: BlockRun, _ block: Int, _ index: Int, _ first: PackedMoment, _ second: LogarithmicMoment, _ secondBits: Int,
  _ scratch: UnsafeMutablePointer<Float>, _ rule: AdamVectors, _ writeFirst: (Four, Int) -> Void
) {
  let memory = groupMemory(scratch)
  let start = block &* PackedSteps.blockSize
  let parameters = run.parameters + start
  let secondCodes = second.codes + start / 8 &* secondBits
  let offset = index &* PackedSteps.blockSize
  let (m, v, d) = (memory.firstMoments + offset, memory.secondMoments + offset, memory.denominators + offset)

  let factor = _mm512_set1_ps(memory.firstReciprocals[index])
  let rounding = quickRounding(memory, index, secondBits)
  var closest = _mm512_set1_epi32(-1)
  /// Returns the normalised first moments and the second's places.
  @inline(__always) func sixteen(_ i: Int, _ uniforms: __m512i) -> (__m512i, __m512i) {
    let m = load(m + i)
    prefetchAhead(parameters + i)
    store(moved(load(parameters + i), m, denominators: load(d + i), rule), to: parameters + i)
    let place = place(load(v + i), uniforms, rounding)
    closest = _mm512_min_epu16(closest, place)
    return (bits(_mm512_mul_ps(m, factor)), place)
  }
  var i = 0
  while i < PackedSteps.blockSize {
    let uniforms = memory.uniforms + (offset &+ i) / 2
    let (low, high) = (load(uniforms), load(uniforms + 16))
    let (a, b) = (sixteen(i, lowerHalves(low)), sixteen(i &+ 16, upperHalves(low)))
    let (c, d) = (sixteen(i &+ 32, lowerHalves(high)), sixteen(i &+ 48, upperHalves(high)))
    writeFirst((a.0, b.0, c.0, d.0), i)
    writePlaces(a.1, b.1, c.1, d.1, bits: secondBits, to: secondCodes, at: i)
    i &+= 64
  }
  let (scale, base) = (memory.secondScales[index], memory.bases[index])
  first.scales[block] = memory.firstScales[index]
  second.scales[block] = scale
  second.bases[block] = base
  if isTooClose(closest, rounding) {
    encodeExactly(v, scale, base, memory.logarithms[index], secondBits, randomLanes(second, block), to: secondCodes)
  }
}
#endif
