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
  // Constant widths: a function for each of the second moment's, because the compiler would not inline nine loops in one.
  switch second.bits {
  case 2: adamOnLogarithms2(run, first, second, scratch, constants)
  case 3: adamOnLogarithms3(run, first, second, scratch, constants)
  default: adamOnLogarithms4(run, first, second, scratch, constants)
  }
}

@inline(never)
func adamOnLogarithms2(
  _ run: BlockRun, _ first: PackedMoment, _ second: LogarithmicMoment, _ scratch: UnsafeMutablePointer<Float>,
  _ constants: AdamConstants
) -> UInt64 {
  steps(run, first, second, 2, scratch, constants)
}

@inline(never)
func adamOnLogarithms3(
  _ run: BlockRun, _ first: PackedMoment, _ second: LogarithmicMoment, _ scratch: UnsafeMutablePointer<Float>,
  _ constants: AdamConstants
) -> UInt64 {
  steps(run, first, second, 3, scratch, constants)
}

@inline(never)
func adamOnLogarithms4(
  _ run: BlockRun, _ first: PackedMoment, _ second: LogarithmicMoment, _ scratch: UnsafeMutablePointer<Float>,
  _ constants: AdamConstants
) -> UInt64 {
  steps(run, first, second, 4, scratch, constants)
}

@inline(__always)
private func steps(
  _ run: BlockRun, _ first: PackedMoment, _ second: LogarithmicMoment, _ secondBits: Int,
  _ scratch: UnsafeMutablePointer<Float>, _ constants: AdamConstants
) -> UInt64 {
  switch first.bits {
  case 2: steps(run, first, 2, second, secondBits, scratch, constants)
  case 3: steps(run, first, 3, second, secondBits, scratch, constants)
  default: steps(run, first, 4, second, secondBits, scratch, constants)
  }
}

@inline(__always)
private func steps(
  _ run: BlockRun, _ first: PackedMoment, _ firstBits: Int, _ second: LogarithmicMoment, _ secondBits: Int,
  _ scratch: UnsafeMutablePointer<Float>, _ constants: AdamConstants
) -> UInt64 {
  let memory = groupMemory(scratch)
  let wholeBlocks = min(run.endBlock, run.count / PackedSteps.blockSize)
  // A short last block.
  var left: UInt64 = wholeBlocks < run.endBlock ? 1 &<< UInt64(truncatingIfNeeded: wholeBlocks &- run.firstBlock) : 0
  var block = run.firstBlock
  while block < wholeBlocks {
    let count = min(groupSize, wholeBlocks &- block)
    if constants.decayTerms.areCoupled {
      makeMoments(run, block, count, first, firstBits, second, secondBits, memory, adamVectors(constants, .all))
    } else {
      makeMoments(run, block, count, first, firstBits, second, secondBits, memory, adamVectors(constants, .none))
    }
    findScales(memory, count, first.scaleKind, lastCode: (1 &<< Int32(truncatingIfNeeded: secondBits)) &- 1)
    for index in 0..<count {
      guard isOrdinary(index, memory) else {
        left |= 1 &<< UInt64(truncatingIfNeeded: block &+ index &- run.firstBlock)
        continue
      }
      moveAndEncode(run, block &+ index, index, first, firstBits, second, secondBits, memory, constants)
    }
    block &+= groupSize
  }
  return left
}

/// Of some neighbouring blocks.
@inline(__always)
private func makeMoments(
  _ run: BlockRun, _ block: Int, _ count: Int, _ first: PackedMoment, _ firstBits: Int, _ second: LogarithmicMoment,
  _ secondBits: Int, _ memory: GroupMemory, _ rule: AdamVectors
) {
  let firstReader = codeReader(bits: firstBits)
  let secondReader = codeReader(bits: secondBits)
  let firstTable = _mm512_permutexvar_ps(lanesAsCodes(bits: firstBits), load(first.values))
  for index in 0..<count {
    let start = (block &+ index) &* PackedSteps.blockSize
    let (p, g) = (run.parameters + start, run.gradients + start)
    let (firstCodes, secondCodes) = (first.codes + start / 8 &* firstBits, second.codes + start / 8 &* secondBits)
    let offset = index &* PackedSteps.blockSize
    let (m, v, d) = (memory.firstMoments + offset, memory.secondMoments + offset, memory.denominators + offset)

    let firstLevels = _mm512_mul_ps(firstTable, _mm512_set1_ps(first.scales[block &+ index]))
    let secondLevels = geometricLevels(
      second.scales[block &+ index], second.bases[block &+ index], secondBits, lanesAsCodes(bits: secondBits))
    var firstMaximum = _mm512_setzero_si512()
    var secondMaximum = firstMaximum
    var minima = noMinima
    var i = 0
    while i < PackedSteps.blockSize {
      let g = decayed(load(g + i), load(p + i), rule)
      let newM = firstMoments(
        _mm512_permutexvar_ps(sixteenCodes(firstCodes, from: i, firstReader), firstLevels), g, rule)
      let newV = secondMoments(
        _mm512_permutexvar_ps(sixteenCodes(secondCodes, from: i, secondReader), secondLevels), g, rule)
      store(newM, to: m + i)
      store(newV, to: v + i)
      store(denominators(newV, rule), to: d + i)
      firstMaximum = _mm512_max_epu32(firstMaximum, magnitudeBits(newM))
      secondMaximum = _mm512_max_epu32(secondMaximum, bits(newV))
      minima = smaller(minima, newV)
      i &+= 16
    }
    store(firstMaximum, to: memory.firstMaxima + 16 &* index)
    store(secondMaximum, to: memory.secondMaxima + 16 &* index)
    store(minima, to: memory.minima + 16 &* index)
  }
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

@inline(__always)
private func moveAndEncode(
  _ run: BlockRun, _ block: Int, _ index: Int, _ first: PackedMoment, _ firstBits: Int, _ second: LogarithmicMoment,
  _ secondBits: Int, _ memory: GroupMemory, _ constants: AdamConstants
) {
  let rule = adamVectors(constants, .none)
  // A mask, because there are nine such loops already.
  let decays: __mmask16 = constants.decayTerms.areNone ? 0 : 0xffff
  let start = block &* PackedSteps.blockSize
  let parameters = run.parameters + start
  let (firstCodes, secondCodes) = (first.codes + start / 8 &* firstBits, second.codes + start / 8 &* secondBits)
  let offset = index &* PackedSteps.blockSize
  let (m, v, d) = (memory.firstMoments + offset, memory.secondMoments + offset, memory.denominators + offset)

  let factor = _mm512_set1_ps(memory.firstReciprocals[index])
  let search = thresholdSearch(load(first.thresholds), firstBits, fromTop: false)
  let key = mixed(second.streamKey ^ UInt64(truncatingIfNeeded: second.firstBlock &+ block))
  let random = randomLanes(key)
  let rounding = quickRounding(memory, index, secondBits)
  var closest = _mm512_set1_epi32(-1)
  @inline(__always) func sixteen(_ i: Int) -> (__m512i, __m512i) {
    let m = load(m + i)
    let p = load(parameters + i)
    let decayed = _mm512_mask_sub_ps(p, decays, p, _mm512_mul_ps(rule.decoupledDecay, p))
    store(moved(decayed, m, denominators: load(d + i), rule), to: parameters + i)
    let place = place(load(v + i), randomBits(from: i, random), rounding)
    closest = _mm512_min_epu16(closest, place)
    return (searched(_mm512_mul_ps(m, factor), search), place)
  }
  var i = 0
  while i < PackedSteps.blockSize {
    let (a, b, c, d) = (sixteen(i), sixteen(i &+ 16), sixteen(i &+ 32), sixteen(i &+ 48))
    write(a.0, b.0, c.0, d.0, bits: firstBits, to: firstCodes, at: i)
    writePlaces(a.1, b.1, c.1, d.1, bits: secondBits, to: secondCodes, at: i)
    i &+= 64
  }
  let (scale, base) = (memory.secondScales[index], memory.bases[index])
  first.scales[block] = memory.firstScales[index]
  second.scales[block] = scale
  second.bases[block] = base
  if isTooClose(closest, rounding) {
    encodeExactly(v, scale, base, memory.logarithms[index], secondBits, random, to: secondCodes)
  }
}
#endif
