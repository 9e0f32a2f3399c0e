// The first pass of Adam over second moments that have one scale vector a dimension. It goes over a block twice, and the
// first time writes nothing but scratch memory: blocks out of the ordinary start again, stage by stage.
#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

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
  var row = noRow(second)
  for number in run.firstBlock..<run.endBlock {
    let start = number &* run.blockSize
    let count = run.length(of: number)
    ordinary: if count & 15 == 0 {
      let (p, g, codes) = (run.parameters + start, run.gradients + start, second.codes + start / 2)
      let isInOneRow = enterRow(&row, at: start, count, second)
      let distance = start &- row.start
      var (columnScales, rowScale) = (UnsafePointer(v), _mm512_set1_ps(.infinity))
      if isInOneRow {
        columnScales = row.walk.columns(second.scales) + distance
        rowScale = _mm512_set1_ps(row.walk.smallest(second.scales))
      } else {
        spreadScales(second, start, count, to: v)
      }

      var maximum = _mm512_setzero_si512()
      var i = 0
      while i < count {
        prefetchAhead(g + i)
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
        raiseColumns(row.walk.columns(maxima) + distance, v, count)
        row.walk.raise(maxima, to: Int32(bitPattern: maximumBits))
      } else {
        raiseSlicesStage(v, second.geometry, start, count, maxima, second.walkMemory)
      }
      continue
    }
    raiseByStages(run.only(number), second, maxima, constants)
    row.end = 0
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
#endif
