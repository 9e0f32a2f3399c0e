// The scales of eight blocks of 128 at a time, one a lane.
#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

/// Blocks that a step takes together: their moments fit the first-level cache.
var groupSize: Int { @inline(__always) get { 8 } }

/// The scratch memory of a group.
typealias GroupMemory = (
  firstMoments: UnsafeMutablePointer<Float>, secondMoments: UnsafeMutablePointer<Float>,
  denominators: UnsafeMutablePointer<Float>,
  // Sixteen lanes a block, as integers.
  firstMaxima: UnsafeMutablePointer<Int32>, secondMaxima: UnsafeMutablePointer<Int32>,
  minima: UnsafeMutablePointer<Int32>,
  // Of the second moments' roundings, two a lane.
  uniforms: UnsafeMutablePointer<Int32>,
  // One a block.
  firstScales: UnsafeMutablePointer<Float>, firstReciprocals: UnsafeMutablePointer<Float>,
  secondScales: UnsafeMutablePointer<Float>, quantiles: UnsafeMutablePointer<Float>,
  bases: UnsafeMutablePointer<Float>, logarithms: UnsafeMutablePointer<Float>,
  factors: UnsafeMutablePointer<Float>, offsets: UnsafeMutablePointer<Float>, limits: UnsafeMutablePointer<Float>
)

@inline(__always)
func groupMemory(_ scratch: UnsafeMutablePointer<Float>) -> GroupMemory {
  let moments = groupSize &* PackedSteps.blockSize
  let lanes = UnsafeMutableRawPointer(scratch + 3 &* moments).assumingMemoryBound(to: Int32.self)
  let uniforms = lanes + 3 &* 16 &* groupSize
  let scalars = scratch + (3 &* moments &+ 3 &* 16 &* groupSize &+ moments / 2)
  return (
    firstMoments: scratch, secondMoments: scratch + moments, denominators: scratch + 2 &* moments,
    firstMaxima: lanes, secondMaxima: lanes + 16 &* groupSize, minima: lanes + 2 &* 16 &* groupSize, uniforms: uniforms,
    firstScales: scalars, firstReciprocals: scalars + groupSize, secondScales: scalars + 2 &* groupSize,
    quantiles: scalars + 3 &* groupSize, bases: scalars + 4 &* groupSize, logarithms: scalars + 5 &* groupSize,
    factors: scalars + 6 &* groupSize, offsets: scalars + 7 &* groupSize, limits: scalars + 8 &* groupSize
  )
}

@inline(__always)
func store(_ vector: __m512i, to pointer: UnsafeMutablePointer<Int32>) {
  UnsafeMutableRawPointer(pointer).storeBytes(of: vector, as: __m512i.self)
}

@inline(__always)
func load(_ pointer: UnsafePointer<Int32>) -> __m512i {
  UnsafeRawPointer(pointer).loadUnaligned(as: __m512i.self)
}

/// Whether a block has finite moments, none of the second below 0, and more than one level.
@inline(__always)
func isOrdinary(_ index: Int, _ memory: GroupMemory) -> Bool {
  // Finite first moments mean finite gradients.
  memory.firstScales[index].magnitude < .infinity && memory.secondScales[index] < .infinity
    && memory.secondScales[index] >= .leastNormalMagnitude && memory.bases[index] < 1
}

/// What the second pass needs to know, from the maxima and minima of the first. Not inlined: all loops share it.
@inline(never)
func findScales(_ memory: GroupMemory, _ count: Int, _ kind: BlockScale, lastCode: Int) {
  // The first moments' maxima in the lower half, the second's in the upper.
  let maxima = merged(eighths(memory.firstMaxima), eighths(memory.secondMaxima), ones(0), ones(1))
  findFirstScales(memory, count, kind, floats(maxima))
  findQuantiles(memory, count)
  findBases(memory, floats(_mm512_permutexvar_epi32(lanes(from: 8), maxima)), lastCode)
}

@inline(__always)
private func findFirstScales(_ memory: GroupMemory, _ count: Int, _ kind: BlockScale, _ maxima: __m512) {
  // As `BlockScale` has it. What is no number is larger than any.
  let isNormal = _mm512_movepi32_mask(
    _mm512_sub_epi32(_mm512_set1_epi32(Int32(bitPattern: Float.leastNormalMagnitude.bitPattern) &- 1), bits(maxima)))
  var scales = _mm512_maskz_mov_ps(isNormal, maxima)
  storeEight(scales, to: memory.firstScales)
  if case .signedExtreme = kind {
    for i in 0..<count {
      memory.firstScales[i] = kind.scale(
        of: memory.firstMoments + i &* PackedSteps.blockSize, PackedSteps.blockSize, absmax: memory.firstScales[i])
    }
    scales = load(memory.firstScales)
  }
  storeEight(
    _mm512_maskz_mov_ps(isNormal, _mm512_div_ps(_mm512_set1_ps(1), scales)), to: memory.firstReciprocals)
}

/// Bases, and what places among the levels follow from.
@inline(__always)
private func findBases(_ memory: GroupMemory, _ scales: __m512, _ lastCode: Int) {
  let (base, log2) = logarithmicBases(load(memory.quantiles), scales, lastCode: lastCode)
  let factor = _mm512_div_ps(_mm512_set1_ps(1), log2)
  // How far places can be off. The offset, the term of the bits and the sum are rounded between 128 and 256, and the uniforms
  // have 16 bits: 3.1e−5 together. The approximate logarithm 8.8e−5, the bits as a float 8e−6, the bias of exponents in the
  // offset 1.5e−5, the coefficients 3e−6 and the exact way 1e−5, all divided by the base's logarithm.
  let margin = _mm512_fnmadd_ps(factor, _mm512_set1_ps(1.4e-4), _mm512_set1_ps(4e-5))
  // Half of what the uniforms lack.
  let start = _mm512_add_ps(margin, _mm512_set1_ps(firstPlace + 0x1p-17))
  let logarithms = _mm512_sub_pd(
    binaryLogarithm(widened(scales), over: _mm512_set1_pd(1)), _mm512_set1_pd(logarithmAt0))
  storeEight(scales, to: memory.secondScales)
  storeEight(base, to: memory.bases)
  storeEight(log2, to: memory.logarithms)
  storeEight(factor, to: memory.factors)
  storeEight(narrowed(_mm512_fnmadd_pd(logarithms, widened(factor), widened(start))), to: memory.offsets)
  storeEight(
    _mm512_min_ps(_mm512_fmadd_ps(margin, _mm512_set1_ps(0x1p17), _mm512_set1_ps(2)), _mm512_set1_ps(65535)),
    to: memory.limits)
}

@inline(__always)
private func storeEight(_ vector: __m512, to pointer: UnsafeMutablePointer<Float>) {
  UnsafeMutableRawPointer(pointer).storeBytes(
    of: vector.lowHalf, as: SIMD8<Float>.self)
}

// MARK: - Maxima

/// Two lanes a block with the largest of its sixteen.
@inline(__always)
private func eighths(_ lanes: UnsafePointer<Int32>) -> __m512i {
  @inline(__always) func two(_ block: Int) -> __m512i {
    merged(load(lanes + 16 &* block), load(lanes + 16 &* (block &+ 1)), eights(0), eights(8))
  }
  @inline(__always) func four(_ block: Int) -> __m512i { merged(two(block), two(block &+ 2), fours(0), fours(4)) }
  return merged(four(0), four(4), twos(0), twos(2))
}

@inline(__always)
private func merged(_ a: __m512i, _ b: __m512i, _ some: __m512i, _ others: __m512i) -> __m512i {
  _mm512_max_epu32(_mm512_permutex2var_epi32(a, some, b), _mm512_permutex2var_epi32(a, others, b))
}

/// The lanes of two vectors that half of the lanes of each block are in: groups of eight from `first` on, every other one.
@inline(__always)
private func eights(_ first: Int32) -> __m512i {
  order(first, first &+ 1, first &+ 2, first &+ 3, first &+ 4, first &+ 5, first &+ 6, first &+ 7, 16)
}

@inline(__always)
private func fours(_ first: Int32) -> __m512i {
  order(first, first &+ 1, first &+ 2, first &+ 3, first &+ 8, first &+ 9, first &+ 10, first &+ 11, 16)
}

@inline(__always)
private func twos(_ first: Int32) -> __m512i {
  order(first, first &+ 1, first &+ 4, first &+ 5, first &+ 8, first &+ 9, first &+ 12, first &+ 13, 16)
}

@inline(__always)
private func ones(_ first: Int32) -> __m512i { lanes(from: first, by: 2) }

/// Eight lanes, and those so much further.
@inline(__always)
private func order(
  _ a: Int32, _ b: Int32, _ c: Int32, _ d: Int32, _ e: Int32, _ f: Int32, _ g: Int32, _ h: Int32, _ step: Int32
) -> __m512i {
  let low = SIMD8<Int32>(a, b, c, d, e, f, g, h)
  let high = SIMD8<Int32>(
    a &+ step, b &+ step, c &+ step, d &+ step, e &+ step, f &+ step, g &+ step, h &+ step)
  return unsafeBitCast(SIMD16<Int32>(lowHalf: low, highHalf: high), to: __m512i.self)
}

// MARK: - Quantiles

/// Eight blocks' fast quantiles: the third largest of eight minima where each of the eight groups has a positive value.
@inline(__always)
private func findQuantiles(_ memory: GroupMemory, _ count: Int) {
  let minima = memory.minima
  /// Two blocks' eight keys, after each other.
  @inline(__always) func two(_ block: Int) -> __m512i {
    let (a, b) = (load(minima + 16 &* block), load(minima + 16 &* (block &+ 1)))
    let smallest = _mm512_min_epu32(
      _mm512_permutex2var_epi32(a, eights(0), b), _mm512_permutex2var_epi32(a, eights(8), b))
    return _mm512_and_si512(smallest, _mm512_set1_epi32(0x7fff_ffff))
  }
  let (a, b, c, d) = (two(0), two(2), two(4), two(6))
  /// Four keys of four blocks, key by key.
  @inline(__always) func four(_ a: __m512i, _ b: __m512i, _ key: Int32) -> __m512i {
    _mm512_permutex2var_epi32(
      a, order(key, key &+ 8, key &+ 16, key &+ 24, key &+ 1, key &+ 9, key &+ 17, key &+ 25, 2), b)
  }
  let (lowA, highA, lowB, highB) = (four(a, b, 0), four(a, b, 4), four(c, d, 0), four(c, d, 4))
  @inline(__always) func keys(_ a: __m512i, _ b: __m512i, _ first: Int32) -> (__m256i, __m256i) {
    let both = _mm512_permutex2var_epi32(
      a, order(first, first &+ 1, first &+ 2, first &+ 3, 16 &+ first, 17 &+ first, 18 &+ first, 19 &+ first, 4), b)
    let halves = unsafeBitCast(both, to: SIMD16<Int32>.self)
    return (unsafeBitCast(halves.lowHalf, to: __m256i.self), unsafeBitCast(halves.highHalf, to: __m256i.self))
  }
  let x = largestThree(keys(lowA, lowB, 0), keys(lowA, lowB, 8))
  let y = largestThree(keys(highA, highB, 0), keys(highA, highB, 8))
  let third = _mm256_max_epu32(
    _mm256_max_epu32(x.2, y.2), _mm256_max_epu32(_mm256_min_epu32(x.0, y.1), _mm256_min_epu32(x.1, y.0)))
  let largest = unsafeBitCast(_mm256_max_epu32(x.0, y.0), to: SIMD8<UInt32>.self)
  let quantiles = UnsafeMutableRawPointer(memory.quantiles)
  quantiles.storeBytes(of: _mm256_add_epi32(third, _mm256_set1_epi32(1)), as: __m256i.self)
  for i in 0..<count where largest[i] == 0x7fff_ffff {
    memory.quantiles[i] = quantile(ofMinima: load(minima + 16 &* i))
  }
}

/// The largest three of four, in descending order.
@inline(__always)
private func largestThree(_ a: (__m256i, __m256i), _ b: (__m256i, __m256i)) -> (__m256i, __m256i, __m256i) {
  let (a0, a1) = (_mm256_max_epu32(a.0, a.1), _mm256_min_epu32(a.0, a.1))
  let (b0, b1) = (_mm256_max_epu32(b.0, b.1), _mm256_min_epu32(b.0, b.1))
  let (rest, lower) = (_mm256_min_epu32(a0, b0), _mm256_max_epu32(a1, b1))
  return (_mm256_max_epu32(a0, b0), _mm256_max_epu32(rest, lower), _mm256_min_epu32(rest, lower))
}
#endif
