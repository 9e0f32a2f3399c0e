// Stochastic rounding to a block's logarithmic levels, exactly and quickly.
//
// The exact way multiplies each value by base^uniform and compares with the levels. The quick way finds the place
// log_base(value / scale) + uniform, whose integer part is the code, by an approximate logarithm. Where a place comes so close
// to an integer that its error might matter, which one block in a hundred has, the block is encoded the exact way.
#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

// MARK: - Random numbers

/// `fillUniformsStage` in registers: the first numbers' states, and the key's upper half.
typealias RandomLanes = (first: __m512i, high: __m512i)

@inline(__always)
func randomLanes(_ moment: LogarithmicMoment, _ block: Int) -> RandomLanes {
  let key = uniformsKey(moment.streamKey, ofBlock: moment.firstBlock &+ block)
  return (
    first: _mm512_add_epi32(
      _mm512_set1_epi32(Int32(truncatingIfNeeded: key)),
      _mm512_mullo_epi32(lanes(), _mm512_set1_epi32(Int32(bitPattern: 0x9e37_79b9)))),
    high: _mm512_set1_epi32(Int32(truncatingIfNeeded: key &>> 32))
  )
}

/// The next sixteen random numbers times 2^32, before the last xor, which does not change the upper half.
@inline(__always)
func randomBits(_ states: inout __m512i, _ lanes: RandomLanes) -> __m512i {
  var h = _mm512_xor_si512(states, _mm512_srli_epi32(states, 16))
  states = _mm512_add_epi32(states, _mm512_set1_epi32(16 &* Int32(bitPattern: 0x9e37_79b9)))
  h = _mm512_add_epi32(_mm512_mullo_epi32(h, _mm512_set1_epi32(Int32(bitPattern: 0x7feb_352d))), lanes.high)
  return _mm512_mullo_epi32(
    _mm512_xor_si512(h, _mm512_srli_epi32(h, 15)), _mm512_set1_epi32(Int32(bitPattern: 0x846c_a68b)))
}

/// The upper halves of `low`, in the lower halves of the result, and of `high`, in the upper ones.
@inline(__always)
func upperHalves(_ low: __m512i, _ high: __m512i) -> __m512i {
  _mm512_or_si512(_mm512_srli_epi32(low, 16), _mm512_andnot_si512(_mm512_set1_epi32(0xffff), high))
}

@inline(__always)
func upperHalves(_ lanes: __m512i) -> __m512i { _mm512_srli_epi32(lanes, 16) }

@inline(__always)
func lowerHalves(_ lanes: __m512i) -> __m512i { _mm512_and_si512(lanes, _mm512_set1_epi32(0xffff)) }

// MARK: - The quick way

/// What the place of a value follows from: logarithm · factor + offset, at most that of the smallest level, + uniform. The
/// factor is in all that the logarithm is made of.
typealias QuickRounding = (
  slope: __m512, offset: __m512, polynomial: (__m512, __m512, __m512, __m512), highest: __m512i, limit: __m512i
)

@inline(__always)
func quickRounding(_ memory: GroupMemory, _ index: Int, _ bits: Int) -> QuickRounding {
  let factor = _mm512_set1_ps(memory.factors[index])
  @inline(__always) func times(_ coefficient: Float) -> __m512 { _mm512_mul_ps(factor, _mm512_set1_ps(coefficient)) }
  let highest = firstPlace + Float((1 &<< Int32(truncatingIfNeeded: bits)) &- 1)
  return (
    slope: times(0x1p-23), offset: _mm512_set1_ps(memory.offsets[index]),
    polynomial: (times(3.070091), times(-2.120675), times(0.6451424), times(-0.081615806)),
    highest: _mm512_set1_epi32(Int32(bitPattern: highest.bitPattern)),
    limit: _mm512_cvttps_epi32(_mm512_set1_ps(memory.limits[index]))
  )
}

/// Code 0 begins here. From 128 to 256 the upper half of a float's bits is its integer part, but for a constant whose lower
/// eight bits are 0, and the lower half its fraction.
var firstPlace: Float { @inline(__always) get { 128 } }

/// The constant term of the approximate logarithm: the rest of a polynomial that binary logarithms of 1 to 2 are within
/// 8.8e−5 of, and the bias of exponents.
var logarithmAt0: Double { @inline(__always) get { -127 - 1.5128546 } }

/// The code in the upper half of each lane, on top of a constant whose lower eight bits are 0, and in the lower half how far
/// above an integer the place is.
///
/// - Parameter uniforms: times 2^16.
@inline(__always)
func place(_ values: __m512, _ uniforms: __m512i, _ rounding: QuickRounding) -> __m512i {
  // The bits as an integer are 2^23 times the biased exponent and the fraction.
  let linear = _mm512_fmadd_ps(_mm512_cvtepi32_ps(bits(values)), rounding.slope, rounding.offset)
  let fraction = _mm512_and_si512(bits(values), _mm512_set1_epi32(0x7f_ffff))
  let mantissa = floats(_mm512_or_si512(fraction, _mm512_set1_epi32(0x3f80_0000)))
  var p = _mm512_fmadd_ps(mantissa, rounding.polynomial.3, rounding.polynomial.2)
  p = _mm512_fmadd_ps(mantissa, p, rounding.polynomial.1)
  p = _mm512_fmadd_ps(mantissa, p, rounding.polynomial.0)
  // Positive floats are in the order of their bits.
  let least = _mm512_min_epu32(bits(_mm512_fmadd_ps(mantissa, p, linear)), rounding.highest)
  return _mm512_add_epi32(least, uniforms)
}

/// - Parameter closest: the least lower halves of a block's places.
@inline(__always)
func isTooClose(_ closest: __m512i, _ rounding: QuickRounding) -> Bool {
  let below = _mm512_subs_epu16(rounding.limit, closest)
  return _mm512_test_epi32_mask(below, below) != 0
}

// MARK: - The exact way

/// Encodes a block of 128.
@inline(__always)
func encodeExactly(
  _ values: UnsafePointer<Float>, _ scale: Float, _ base: Float, _ log2Base: Float, _ bits: Int,
  _ random: RandomLanes, to codes: UnsafeMutablePointer<UInt8>
) {
  let last = (1 &<< Int32(truncatingIfNeeded: bits)) &- 1
  let search = thresholdSearch(
    _mm512_permutexvar_ps(lanes(from: last, by: -1), geometricLevels(scale, base, bits, lanes())), bits, fromTop: true)
  let dither = dither(log2Base: log2Base, leastFactor: LogarithmicBase.leastFactor(base), scale: 0x1p-32)
  var states = random.first
  @inline(__always) func sixteen(_ i: Int) -> __m512i {
    var h = randomBits(&states, random)
    h = _mm512_xor_si512(h, _mm512_srli_epi32(h, 16))
    // The upper 24 bits, where they are.
    let uniforms = _mm512_cvtepu32_ps(_mm512_and_si512(h, _mm512_set1_epi32(-256)))
    return searched(dithered(load(values + i), uniforms, dither), search)
  }
  var i = 0
  while i < PackedSteps.blockSize {
    write(sixteen(i), sixteen(i &+ 16), sixteen(i &+ 32), sixteen(i &+ 48), bits: bits, to: codes, at: i)
    i &+= 64
  }
}
#endif
