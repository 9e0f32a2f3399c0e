// Momentum over 4-bit codes.
#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

@inline(never)
package func avx512MomentumOnNibbles(
  _ run: BlockRun, _ buffer: NibbleMoment, _ constants: MomentumConstants
) -> Int {
  constants.withTerms { terms in
    withSearch(buffer.map.vectors) { momentum(run, buffer, constants, momentumVectors(constants, terms), $0) }
  }
}

@inline(__always)
private func momentum(
  _ run: BlockRun, _ buffer: NibbleMoment, _ constants: MomentumConstants, _ rule: MomentumVectors,
  _ search: NibbleSearch
) -> Int {
  let reader = codeReader(bits: 4)
  var skippedCount = 0
  for block in run.firstBlock..<run.endBlock {
    let start = block &* run.blockSize
    let count = run.length(of: block)
    ordinary: if count & 63 == 0 {
      let (p, g, b) = (run.parameters + start, run.gradients + start, buffer.values)
      let codes = buffer.codes + start / 2

      let terms = _mm512_mul_ps(rule.bufferFactor, levels(buffer.map, scale: buffer.scales[block]))
      var maximum = _mm512_setzero_si512()
      var i = 0
      while i < count {
        prefetchAhead(g + i)
        prefetchAhead(p + i)
        let newB = buffers(
          terms: _mm512_permutexvar_ps(sixteenCodes(codes, from: i, reader), terms),
          decayed(load(g + i), load(p + i), rule),
          rule)
        store(newB, to: b + i)
        maximum = _mm512_max_epu32(maximum, magnitudeBits(newB))
        i &+= 16
      }
      let (maximumBits, _) = largestLanes(maximum, maximum)
      guard maximumBits < Float.infinity.bitPattern else { break ordinary }

      let factor = _mm512_set1_ps(buffer.newReciprocal(block, count, maximumBits))
      @inline(__always) func sixteen(_ i: Int) -> __m512i {
        let (oldP, b) = (load(p + i), load(b + i))
        store(moved(oldP, decayed(load(g + i), oldP, rule), b, rule), to: p + i)
        return bits(_mm512_mul_ps(b, factor))
      }
      i = 0
      while i < count {
        storeCodes((sixteen(i), sixteen(i &+ 16), sixteen(i &+ 32), sixteen(i &+ 48)), search, to: codes + i / 2)
        i &+= 64
      }
      continue
    }
    skippedCount &+= momentumByStages(run.only(block), buffer, constants)
  }
  return skippedCount
}
#endif
