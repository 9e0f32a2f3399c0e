// The stages of second moments that are kept as means, compiled with this module's instruction set.
#if arch(x86_64)
import TileKernels

@inline(never)
package func avx2AddSquares(
  _ parameters: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ part: MatrixPart,
  _ rowSums: UnsafeMutablePointer<Double>, _ columnSums: UnsafeMutablePointer<Double>,
  _ squares: UnsafeMutablePointer<Double>, _ constants: AdamConstants
) {
  addSquaresStage(parameters, gradients, part, rowSums, columnSums, squares, constants)
}

@inline(never)
package func avx2MultiplyMeans(
  _ rowFactors: UnsafePointer<Float>, _ columnMeans: UnsafePointer<Float>, _ shape: MatrixShape, _ start: Int,
  _ count: Int, _ values: UnsafeMutablePointer<Float>
) {
  multiplyMeansStage(rowFactors, columnMeans, shape, start, count, values)
}

@inline(never)
package func avx2AdamWithSecondMoments(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
  _ firstMoments: UnsafeMutablePointer<Float>, _ secondMoments: UnsafePointer<Float>,
  _ count: Int, _ constants: AdamConstants
) -> Float {
  adamWithSecondMomentsStage(parameters, gradients, firstMoments, secondMoments, count, constants)
}
#endif
