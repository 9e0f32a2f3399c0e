// The stages of formats that take one scale vector a dimension, compiled with this module's instruction set.
import TileKernels

@inline(never)
package func portableAdamFirstMoments(
  _ parameters: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ moments: UnsafeMutablePointer<Float>,
  _ count: Int, _ constants: AdamConstants
) {
  adamFirstMomentsStage(parameters, gradients, moments, count, constants)
}

@inline(never)
package func portableAdamSecondMoments(
  _ parameters: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ moments: UnsafeMutablePointer<Float>,
  _ count: Int, _ constants: AdamConstants
) {
  adamSecondMomentsStage(parameters, gradients, moments, count, constants)
}

@inline(never)
package func portableMomentumBuffers(
  _ parameters: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ buffers: UnsafeMutablePointer<Float>,
  _ count: Int, _ constants: MomentumConstants
) {
  momentumBuffersStage(parameters, gradients, buffers, count, constants)
}

@inline(never)
package func portableSliceMinima(
  _ vectors: UnsafePointer<Float>, _ geometry: SliceGeometry, _ start: Int, _ count: Int,
  _ scales: UnsafeMutablePointer<Float>
) {
  sliceMinimaStage(vectors, geometry, start, count, scales)
}

@inline(never)
package func portableSliceMaxima(
  _ vectors: UnsafePointer<Float>, _ geometry: SliceGeometry, _ start: Int, _ count: Int,
  _ scales: UnsafeMutablePointer<Float>
) {
  sliceMaximaStage(vectors, geometry, start, count, scales)
}

@inline(never)
package func portableRaiseSlices(
  _ values: UnsafePointer<Float>, _ geometry: SliceGeometry, _ start: Int, _ count: Int,
  _ vectors: UnsafeMutablePointer<Int32>
) {
  raiseSlicesStage(values, geometry, start, count, vectors)
}

@inline(never)
package func portableMultiply(_ values: UnsafeMutablePointer<Float>, _ factors: UnsafePointer<Float>, _ count: Int) {
  multiplyStage(values, factors, count)
}
