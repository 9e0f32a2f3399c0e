// The stages of formats that take one scale vector a dimension, compiled with this module's instruction set.
#if arch(x86_64)
import TileKernels

@inline(never)
package func avx512AdamFirstMoments(
  _ parameters: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ moments: UnsafeMutablePointer<Float>,
  _ count: Int, _ constants: AdamConstants
) {
  adamFirstMomentsStage(parameters, gradients, moments, count, constants)
}

@inline(never)
package func avx512AdamSecondMoments(
  _ parameters: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ moments: UnsafeMutablePointer<Float>,
  _ count: Int, _ constants: AdamConstants
) {
  adamSecondMomentsStage(parameters, gradients, moments, count, constants)
}

@inline(never)
package func avx512MomentumBuffers(
  _ parameters: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ buffers: UnsafeMutablePointer<Float>,
  _ count: Int, _ constants: MomentumConstants
) {
  momentumBuffersStage(parameters, gradients, buffers, count, constants)
}

@inline(never)
package func avx512ScaleBySmallest(
  _ values: UnsafeMutablePointer<Float>, _ vectors: UnsafePointer<Float>, _ geometry: SliceGeometry, _ start: Int,
  _ count: Int, _ memory: UnsafeMutablePointer<Int>
) {
  scaleBySmallestStage(values, vectors, geometry, start, count, memory)
}

@inline(never)
package func avx512ScaleByLargest(
  _ values: UnsafeMutablePointer<Float>, _ vectors: UnsafePointer<Float>, _ geometry: SliceGeometry, _ start: Int,
  _ count: Int, _ memory: UnsafeMutablePointer<Int>
) {
  scaleByLargestStage(values, vectors, geometry, start, count, memory)
}

@inline(never)
package func avx512RaiseSlices(
  _ values: UnsafePointer<Float>, _ geometry: SliceGeometry, _ start: Int, _ count: Int,
  _ vectors: UnsafeMutablePointer<Int32>, _ memory: UnsafeMutablePointer<Int>
) {
  raiseSlicesStage(values, geometry, start, count, vectors, memory)
}
#endif
