// Steps over 4-bit codes go twice over each block. The first pass makes the new moments and finds the scales. The second
// moves the parameters and encodes, in one loop, so that comparing and packing fill the time of the divider. Until then
// nothing but scratch memory has been written: blocks out of the ordinary start again, stage by stage.
#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

@inline(never)
package func avx512AdamOnNibbles(
  _ run: BlockRun, _ first: NibbleMoment, _ second: NibbleMoment, _ constants: AdamConstants
) -> Int {
  constants.withDecayTerms { fusedAdam(run, first, second, constants, $0) }
}

@inline(__always)
private func fusedAdam(
  _ run: BlockRun, _ first: NibbleMoment, _ second: NibbleMoment, _ constants: AdamConstants, _ terms: DecayTerms
) -> Int {
  let isSecondLinear = second.map.vectors.pointee.isLinear
  let rule = adamVectors(constants, terms)
  let reader = codeReader(bits: 4)
  let search = thresholdSearch(first.map)
  var skippedCount = 0
  for block in run.firstBlock..<run.endBlock {
    let start = block &* run.blockSize
    let count = min(run.blockSize, run.count &- start)
    ordinary: if count & 63 == 0 && isSecondLinear {
      let (p, g) = (run.parameters + start, run.gradients + start)
      let (m, v) = (first.values, second.values)
      let (firstCodes, secondCodes) = (first.codes + start / 2, second.codes + start / 2)

      let firstLevels = levels(first.map, scale: first.scales[block])
      let secondLevels = levels(second.map, scale: second.scales[block])
      var firstMaximum = _mm512_setzero_si512()
      var secondMaximum = firstMaximum
      var i = 0
      while i < count {
        let g = decayed(load(g + i), load(p + i), rule)
        let newM = firstMoments(_mm512_permutexvar_ps(sixteenCodes(firstCodes, from: i, reader), firstLevels), g, rule)
        let newV = secondMoments(
          _mm512_permutexvar_ps(sixteenCodes(secondCodes, from: i, reader), secondLevels), g, rule)
        store(newM, to: m + i)
        store(newV, to: v + i)
        firstMaximum = _mm512_max_epu32(firstMaximum, magnitudeBits(newM))
        secondMaximum = _mm512_max_epu32(secondMaximum, bits(newV))
        i &+= 16
      }
      let (firstBits, secondBits) = largestLanes(firstMaximum, secondMaximum)
      // Finite first moments mean finite gradients. Infinity, no number and negative second moments are larger bits.
      guard firstBits < Float.infinity.bitPattern && secondBits < Float.infinity.bitPattern else { break ordinary }

      let firstFactor = _mm512_set1_ps(first.newReciprocal(block, count, firstBits))
      let secondFactor = _mm512_set1_ps(second.newReciprocal(block, count, secondBits))
      @inline(__always) func sixteen(_ i: Int) -> (__m512i, __m512i) {
        let (m, v) = (load(m + i), load(v + i))
        store(moved(load(p + i), m, v, rule), to: p + i)
        return (searched(_mm512_mul_ps(m, firstFactor), search), linearCodes(_mm512_mul_ps(v, secondFactor)))
      }
      i = 0
      while i < count {
        let (a, b, c, d) = (sixteen(i), sixteen(i &+ 16), sixteen(i &+ 32), sixteen(i &+ 48))
        let bytes = twoOrderedHalves(nibblePairs(a.0, b.0, c.0, d.0), nibblePairs(a.1, b.1, c.1, d.1))
        UnsafeMutableRawPointer(firstCodes + i / 2).storeBytes(of: bytes.lowHalf, as: SIMD4<Int64>.self)
        UnsafeMutableRawPointer(secondCodes + i / 2).storeBytes(of: bytes.highHalf, as: SIMD4<Int64>.self)
        i &+= 64
      }
      continue
    }
    skippedCount &+= adamByStages(run.only(block), first, second, constants)
  }
  return skippedCount
}

@inline(never)
package func avx512MomentumOnNibbles(
  _ run: BlockRun, _ buffer: NibbleMoment, _ constants: MomentumConstants
) -> Int {
  constants.withTerms { fusedMomentum(run, buffer, constants, momentumVectors(constants, $0)) }
}

@inline(__always)
private func fusedMomentum(
  _ run: BlockRun, _ buffer: NibbleMoment, _ constants: MomentumConstants, _ rule: MomentumVectors
) -> Int {
  let reader = codeReader(bits: 4)
  let search = thresholdSearch(buffer.map)
  var skippedCount = 0
  for block in run.firstBlock..<run.endBlock {
    let start = block &* run.blockSize
    let count = min(run.blockSize, run.count &- start)
    ordinary: if count & 63 == 0 {
      let (p, g, b) = (run.parameters + start, run.gradients + start, buffer.values)
      let codes = buffer.codes + start / 2

      let table = levels(buffer.map, scale: buffer.scales[block])
      var maximum = _mm512_setzero_si512()
      var i = 0
      while i < count {
        let newB = buffers(
          _mm512_permutexvar_ps(sixteenCodes(codes, from: i, reader), table), decayed(load(g + i), load(p + i), rule),
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
        return searched(_mm512_mul_ps(b, factor), search)
      }
      i = 0
      while i < count {
        let words = nibblePairs(sixteen(i), sixteen(i &+ 16), sixteen(i &+ 32), sixteen(i &+ 48))
        storeOrdered(words, to: codes + i / 2)
        i &+= 64
      }
      continue
    }
    skippedCount &+= momentumByStages(run.only(block), buffer, constants)
  }
  return skippedCount
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

/// The bytes that `nibblePairs` has made, in order: 32 of `a`, then 32 of `b`.
@inline(__always)
private func twoOrderedHalves(_ a: __m512i, _ b: __m512i) -> __m512i {
  // In quarter q there now are the q-th two bytes of four registers, of `a` and then of `b`.
  let bytes = _mm512_packus_epi16(a, b)
  let order = SIMD32<UInt16>(
    0, 8, 16, 24, 1, 9, 17, 25, 2, 10, 18, 26, 3, 11, 19, 27, 4, 12, 20, 28, 5, 13, 21, 29, 6, 14, 22, 30, 7, 15, 23, 31
  )
  return _mm512_permutexvar_epi16(unsafeBitCast(order, to: __m512i.self), bytes)
}

// MARK: - Blocks out of the ordinary

private enum Stages: NibbleStages {
  @inline(__always)
  static func absmax(_ values: UnsafePointer<Float>, _ count: Int) -> Float { avx512Absmax(values, count) }

  @inline(__always)
  static func adam(
    _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
    _ firstMoments: UnsafeMutablePointer<Float>, _ secondMoments: UnsafeMutablePointer<Float>,
    _ count: Int, _ constants: AdamConstants
  ) -> MomentMaxima {
    avx512Adam(parameters, gradients, firstMoments, secondMoments, count, constants)
  }

  @inline(__always)
  static func momentum(
    _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
    _ buffers: UnsafeMutablePointer<Float>, _ count: Int, _ constants: MomentumConstants
  ) -> Float {
    avx512Momentum(parameters, gradients, buffers, count, constants)
  }

  @inline(__always)
  static func decode(
    _ codes: UnsafePointer<UInt8>, _ count: Int, _ scale: Float, _ map: NibbleMap,
    _ values: UnsafeMutablePointer<Float>
  ) {
    avx512DecodeNibbles(codes, count, scale, map, values)
  }

  @inline(__always)
  static func encode(
    _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ map: NibbleMap,
    _ codes: UnsafeMutablePointer<UInt8>
  ) {
    avx512EncodeNibbles(values, count, reciprocal, map, codes)
  }
}

// Functions of their own, so that the fused loops come in three kinds and these do not.

@inline(never)
func adamByStages(
  _ run: BlockRun, _ first: NibbleMoment, _ second: NibbleMoment, _ constants: AdamConstants
) -> Int {
  adamOnNibbles(Stages.self, run, first, second, constants)
}

@inline(never)
func adamByStages(
  _ run: BlockRun, _ first: NibbleMoment, _ second: SliceMoment, _ constants: AdamConstants
) -> Int {
  adamOnSlices(Stages.self, run, first, second, constants)
}

@inline(never)
func momentumByStages(_ run: BlockRun, _ buffer: NibbleMoment, _ constants: MomentumConstants) -> Int {
  momentumOnNibbles(Stages.self, run, buffer, constants)
}

@inline(never)
func raiseByStages(
  _ run: BlockRun, _ second: SliceMoment, _ maxima: UnsafeMutablePointer<Int32>, _ constants: AdamConstants
) {
  raiseAdamSlices(Stages.self, run, second, maxima, constants)
}

extension BlockRun {
  @inline(__always)
  func only(_ block: Int) -> BlockRun {
    var run = self
    run.firstBlock = block
    run.endBlock = block &+ 1
    return run
  }
}
#endif
