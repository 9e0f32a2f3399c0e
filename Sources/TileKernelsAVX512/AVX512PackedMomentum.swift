// Momentum on blocks of 128 in codes of 2 or 3 bits. The first pass over a block writes nothing but scratch memory; that over
// the next block comes before the second pass, which waits for its scale.
#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

@inline(never)
package func avx512MomentumOnPacked(
  _ run: BlockRun, _ buffer: PackedMoment, _ scratch: UnsafeMutablePointer<Float>, _ constants: MomentumConstants
) -> UInt64 {
  constants.withTerms { terms in
    let rule = momentumVectors(constants, terms)
    return buffer.bits == 2 ? momentum(run, buffer, 2, scratch, rule) : momentum(run, buffer, 3, scratch, rule)
  }
}

@inline(__always)
private func momentum(
  _ run: BlockRun, _ buffer: PackedMoment, _ bits: Int, _ scratch: UnsafeMutablePointer<Float>, _ rule: MomentumVectors
) -> UInt64 {
  let wholeBlocks = min(run.endBlock, run.count / PackedSteps.blockSize)
  // A short last block.
  var left: UInt64 = wholeBlocks < run.endBlock ? 1 &<< UInt64(truncatingIfNeeded: wholeBlocks &- run.firstBlock) : 0
  guard run.firstBlock < wholeBlocks else { return left }
  let search = thresholdSearch(load(buffer.thresholds), bits, fromTop: false)
  var (values, nextValues) = (scratch, scratch + PackedSteps.blockSize)
  var maximum = makeBuffers(run, run.firstBlock, buffer, bits, values, rule)
  var block = run.firstBlock
  while block < wholeBlocks {
    let absmaxBits = largestLanes(maximum, maximum).0
    if block &+ 1 < wholeBlocks { maximum = makeBuffers(run, block &+ 1, buffer, bits, nextValues, rule) }
    // Finite buffers mean finite gradients. Infinity and no number are larger bits.
    if absmaxBits < Float.infinity.bitPattern {
      let scale = buffer.scaleKind.scale(of: values, PackedSteps.blockSize, absmax: Float(bitPattern: absmaxBits))
      moveAndEncode(run, block, buffer, bits, values, scaleReciprocal(scale), search, rule)
      buffer.scales[block] = scale
    } else {
      left |= 1 &<< UInt64(truncatingIfNeeded: block &- run.firstBlock)
    }
    (values, nextValues) = (nextValues, values)
    block &+= 1
  }
  return left
}

/// Returns the largest magnitudes, as bits.
@inline(__always)
private func makeBuffers(
  _ run: BlockRun, _ block: Int, _ buffer: PackedMoment, _ bits: Int, _ values: UnsafeMutablePointer<Float>,
  _ rule: MomentumVectors
) -> __m512i {
  let start = block &* PackedSteps.blockSize
  let (p, g) = (run.parameters + start, run.gradients + start)
  let codes = buffer.codes + start / 8 &* bits
  let reader = codeReader(bits: bits)
  let levels = _mm512_mul_ps(
    _mm512_permutexvar_ps(lanesAsCodes(bits: bits), load(buffer.values)), _mm512_set1_ps(buffer.scales[block]))
  let terms = _mm512_mul_ps(rule.bufferFactor, levels)
  var maximum = _mm512_setzero_si512()
  var i = 0
  while i < PackedSteps.blockSize {
    prefetchAhead(p + i)
    prefetchAhead(g + i)
    let b = buffers(
      terms: _mm512_permutexvar_ps(sixteenCodes(codes, from: i, reader), terms),
      decayed(load(g + i), load(p + i), rule), rule
    )
    store(b, to: values + i)
    maximum = _mm512_max_epu32(maximum, magnitudeBits(b))
    i &+= 16
  }
  return maximum
}

@inline(__always)
private func moveAndEncode(
  _ run: BlockRun, _ block: Int, _ buffer: PackedMoment, _ bits: Int, _ values: UnsafePointer<Float>,
  _ reciprocal: Float, _ search: ThresholdSearch, _ rule: MomentumVectors
) {
  let start = block &* PackedSteps.blockSize
  let (p, g) = (run.parameters + start, run.gradients + start)
  let codes = buffer.codes + start / 8 &* bits
  let factor = _mm512_set1_ps(reciprocal)
  @inline(__always) func sixteen(_ i: Int) -> UInt64 {
    let (oldP, b) = (load(p + i), load(values + i))
    store(moved(oldP, decayed(load(g + i), oldP, rule), b, rule), to: p + i)
    return packedSearched(_mm512_mul_ps(b, factor), search)
  }
  var i = 0
  while i < PackedSteps.blockSize {
    write(sixteen(i), sixteen(i &+ 16), bits: bits, to: codes, at: i)
    i &+= 32
  }
}
#endif
