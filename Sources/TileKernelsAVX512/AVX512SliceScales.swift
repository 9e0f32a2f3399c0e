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
package func avx512SliceMinima(
  _ vectors: UnsafePointer<Float>, _ geometry: SliceGeometry, _ start: Int, _ count: Int,
  _ scales: UnsafeMutablePointer<Float>
) {
  sliceMinimaStage(vectors, geometry, start, count, scales)
}

@inline(never)
package func avx512SliceMaxima(
  _ vectors: UnsafePointer<Float>, _ geometry: SliceGeometry, _ start: Int, _ count: Int,
  _ scales: UnsafeMutablePointer<Float>
) {
  sliceMaximaStage(vectors, geometry, start, count, scales)
}

@inline(never)
package func avx512RaiseSlices(
  _ values: UnsafePointer<Float>, _ geometry: SliceGeometry, _ start: Int, _ count: Int,
  _ vectors: UnsafeMutablePointer<Int32>
) {
  raiseSlicesStage(values, geometry, start, count, vectors)
}

@inline(never)
package func avx512Multiply(_ values: UnsafeMutablePointer<Float>, _ factors: UnsafePointer<Float>, _ count: Int) {
  multiplyStage(values, factors, count)
}
#endif
