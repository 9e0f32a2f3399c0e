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
package func portableScaleBySmallest(
  _ values: UnsafeMutablePointer<Float>, _ vectors: UnsafePointer<Float>, _ geometry: SliceGeometry, _ start: Int,
  _ count: Int, _ memory: UnsafeMutablePointer<Int>
) {
  scaleBySmallestStage(values, vectors, geometry, start, count, memory)
}

@inline(never)
package func portableScaleByLargest(
  _ values: UnsafeMutablePointer<Float>, _ vectors: UnsafePointer<Float>, _ geometry: SliceGeometry, _ start: Int,
  _ count: Int, _ memory: UnsafeMutablePointer<Int>
) {
  scaleByLargestStage(values, vectors, geometry, start, count, memory)
}

@inline(never)
package func portableRaiseSlices(
  _ values: UnsafePointer<Float>, _ geometry: SliceGeometry, _ start: Int, _ count: Int,
  _ vectors: UnsafeMutablePointer<Int32>, _ memory: UnsafeMutablePointer<Int>
) {
  raiseSlicesStage(values, geometry, start, count, vectors, memory)
}
