#if arch(x86_64)
import TileKernels
import _Builtin_intrinsics.intel

/// 16 values at a time: codes index a register of levels.
@inline(never)
package func avx512DecodeLevels(
  _ codes: UnsafePointer<UInt8>, _ count: Int, _ bits: Int, _ levels: UnsafePointer<Float>,
  _ values: UnsafeMutablePointer<Float>
) {
  let reader = codeReader(bits: bits)
  let table = _mm512_permutexvar_ps(lanesAsCodes(bits: bits), load(levels))
  let done = count & ~15
  var i = 0
  while i < done {
    store(_mm512_permutexvar_ps(sixteenCodes(codes, from: i, reader), table), to: values + i)
    i &+= 16
  }
  if done < count { decodeLevelsStage(codes + done / 8 &* bits, count &- done, bits, levels, values + done) }
}
#endif
