package import TileKernels

/// A rank-1 quantizer without its names, for inner loops: plain numbers and pointers.
///
/// It works on parts of the flattened tensor that begin at an even element, and wants memory for two numbers a dimension.
/// Valid as long as the shape and the codebook that it came from.
package struct RankOneCodec {
  package let map: NibbleMap
  package let geometry: SliceGeometry

  /// Decodes `count` values from element `start` on.
  @inline(__always)
  package func decode(
    _ codes: UnsafePointer<UInt8>, scales: UnsafePointer<Float>, start: Int, count: Int,
    into values: UnsafeMutablePointer<Float>, memory: UnsafeMutablePointer<Int>, _ kernels: KernelSet
  ) {
    kernels.decodeNibbles(codes + start / 2, count, 1, map, values)
    kernels.scaleBySmallest(values, scales, geometry, start, count, memory)
  }

  /// Raises the slices' maxima, magnitudes as bits, to those of `count` values from element `start` on.
  @inline(__always)
  package func raise(
    _ maxima: UnsafeMutablePointer<Int32>, to values: UnsafePointer<Float>, start: Int, count: Int,
    memory: UnsafeMutablePointer<Int>, _ kernels: KernelSet
  ) {
    kernels.raiseSlices(values, geometry, start, count, maxima, memory)
  }

  /// Encodes `count` values from element `start` on, and overwrites them.
  ///
  /// - Parameter reciprocals: of the scales. The reciprocal of the smallest scale is the largest one: rounding keeps the
  ///   order.
  @inline(__always)
  package func encode(
    _ values: UnsafeMutablePointer<Float>, reciprocals: UnsafePointer<Float>, start: Int, count: Int,
    codes: UnsafeMutablePointer<UInt8>, memory: UnsafeMutablePointer<Int>, _ kernels: KernelSet
  ) {
    kernels.scaleByLargest(values, reciprocals, geometry, start, count, memory)
    kernels.encodeNibbles(values, count, 1, map, codes + start / 2)
  }

  /// The scales that follow from maxima of finite values, magnitudes as bits: a subnormal one becomes 0.
  package static func scales(
    of maxima: UnsafePointer<Int32>, count: Int, into scales: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<count { scales[i] = scale(maxima[i]) }
  }

  /// The reciprocals of the same scales; 0 for a scale of 0.
  package static func reciprocals(
    of maxima: UnsafePointer<Int32>, count: Int, into reciprocals: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<count { reciprocals[i] = scaleReciprocal(scale(maxima[i])) }
  }

  private static func scale(_ maximum: Int32) -> Float {
    let maximum = Float(bitPattern: UInt32(bitPattern: maximum))
    return maximum < .leastNormalMagnitude ? 0 : maximum
  }
}

/// A tensor's dimensions where inner loops can read them.
package final class SliceShape: @unchecked Sendable {
  package let dimensions: [Int]
  package let geometry: SliceGeometry
  private let memory: UnsafeMutablePointer<Int>

  package init(_ dimensions: [Int]) {
    self.dimensions = dimensions
    memory = .allocate(capacity: dimensions.count)
    memory.initialize(from: dimensions, count: dimensions.count)
    geometry = SliceGeometry(shape: memory, rank: dimensions.count)
  }

  deinit { memory.deallocate() }

  /// Slices in all dimensions, and so the length of all scale vectors together.
  package var sliceCount: Int { dimensions.reduce(0, +) }

  package func codec(_ codebook: Codebook) -> RankOneCodec {
    guard case .nibbles(let map) = codebook.tables.map else { fatalError("\(codebook) has no 4-bit codes") }
    return RankOneCodec(map: map, geometry: geometry)
  }
}
