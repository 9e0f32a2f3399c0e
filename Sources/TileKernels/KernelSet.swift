/// One table of stage functions per instruction set. Every set gives the same bits; they differ in speed alone.
///
/// A class, because copying a table of closures in the step's inner loop would count references for each of them.
public final class KernelSet: Sendable {
  public typealias Values = UnsafePointer<Float>
  public typealias MutableValues = UnsafeMutablePointer<Float>
  public typealias MutableSums = UnsafeMutablePointer<Double>
  public typealias Codes = UnsafePointer<UInt8>
  public typealias MutableCodes = UnsafeMutablePointer<UInt8>

  public let name: String
  public let absmax: @Sendable (Values, Int) -> Float
  public let adam: @Sendable (MutableValues, Values, MutableValues, MutableValues, Int, AdamConstants) -> MomentMaxima
  public let momentum: @Sendable (MutableValues, Values, MutableValues, Int, MomentumConstants) -> Float
  /// Whole steps over blocks of 8-bit codes, and of 4-bit codes.
  public let byteSteps: ByteSteps
  public let adamOnNibbles: @Sendable (BlockRun, NibbleMoment, NibbleMoment, AdamConstants) -> Int
  public let momentumOnNibbles: @Sendable (BlockRun, NibbleMoment, MomentumConstants) -> Int
  /// Adam's two passes over blocks whose second moments have scales per row and column.
  public let raiseAdamSlices: @Sendable (BlockRun, SliceMoment, UnsafeMutablePointer<Int32>, AdamConstants) -> Void
  public let adamOnSlices: @Sendable (BlockRun, NibbleMoment, SliceMoment, AdamConstants) -> Int
  public let decodeBytes: @Sendable (Codes, Int, Float, ByteMap, MutableValues) -> Void
  public let encodeBytes: @Sendable (Values, Int, Float, ByteMap, MutableCodes) -> Void
  public let decodeNibbles: @Sendable (Codes, Int, Float, NibbleMap, MutableValues) -> Void
  public let encodeNibbles: @Sendable (Values, Int, Float, NibbleMap, MutableCodes) -> Void
  /// The rules' first lines alone, for scales that need a pass of their own.
  public let adamFirstMoments: @Sendable (Values, Values, MutableValues, Int, AdamConstants) -> Void
  public let adamSecondMoments: @Sendable (Values, Values, MutableValues, Int, AdamConstants) -> Void
  public let momentumBuffers: @Sendable (Values, Values, MutableValues, Int, MomentumConstants) -> Void
  public let addSquares:
    @Sendable (Values, Values, MatrixPart, MutableSums, MutableSums, MutableSums, AdamConstants) -> Void
  public let multiplyMeans: @Sendable (Values, Values, MatrixShape, Int, Int, MutableValues) -> Void
  public let adamWithSecondMoments:
    @Sendable (MutableValues, Values, MutableValues, Values, Int, AdamConstants) -> Float
  public let scaleBySmallest:
    @Sendable (MutableValues, Values, SliceGeometry, Int, Int, UnsafeMutablePointer<Int>) -> Void
  public let scaleByLargest:
    @Sendable (MutableValues, Values, SliceGeometry, Int, Int, UnsafeMutablePointer<Int>) -> Void
  public let raiseSlices:
    @Sendable (Values, SliceGeometry, Int, Int, UnsafeMutablePointer<Int32>, UnsafeMutablePointer<Int>) -> Void
  /// Values of codes of 2, 3 or 4 bits (the third argument) from a block's table of levels.
  public let decodeLevels: @Sendable (Codes, Int, Int, Values, MutableValues) -> Void
  public let encodePacked: @Sendable (Values, Int, Float, PackedMap, MutableCodes) -> Void
  public let fillUniforms: @Sendable (UInt64, Int, MutableValues) -> Void
  public let fastQuantile: @Sendable (Values, Int) -> Float
  public let encodeLogarithmic: @Sendable (Values, Values, Int, LogarithmicLevels, MutableCodes) -> Void
  /// Whole steps over codes of 2 to 4 bits, where the set has any.
  public let packedSteps: PackedSteps?
  /// Asks for so many bytes that will be needed soon.
  public let prefetch: (@Sendable (UnsafeRawPointer, Int) -> Void)?

  public init(
    name: String,
    absmax: @escaping @Sendable (Values, Int) -> Float,
    adam: @escaping @Sendable (MutableValues, Values, MutableValues, MutableValues, Int, AdamConstants) -> MomentMaxima,
    momentum: @escaping @Sendable (MutableValues, Values, MutableValues, Int, MomentumConstants) -> Float,
    byteSteps: ByteSteps,
    adamOnNibbles: @escaping @Sendable (BlockRun, NibbleMoment, NibbleMoment, AdamConstants) -> Int,
    momentumOnNibbles: @escaping @Sendable (BlockRun, NibbleMoment, MomentumConstants) -> Int,
    raiseAdamSlices: @escaping @Sendable (BlockRun, SliceMoment, UnsafeMutablePointer<Int32>, AdamConstants) -> Void,
    adamOnSlices: @escaping @Sendable (BlockRun, NibbleMoment, SliceMoment, AdamConstants) -> Int,
    decodeBytes: @escaping @Sendable (Codes, Int, Float, ByteMap, MutableValues) -> Void,
    encodeBytes: @escaping @Sendable (Values, Int, Float, ByteMap, MutableCodes) -> Void,
    decodeNibbles: @escaping @Sendable (Codes, Int, Float, NibbleMap, MutableValues) -> Void,
    encodeNibbles: @escaping @Sendable (Values, Int, Float, NibbleMap, MutableCodes) -> Void,
    adamFirstMoments: @escaping @Sendable (Values, Values, MutableValues, Int, AdamConstants) -> Void,
    adamSecondMoments: @escaping @Sendable (Values, Values, MutableValues, Int, AdamConstants) -> Void,
    momentumBuffers: @escaping @Sendable (Values, Values, MutableValues, Int, MomentumConstants) -> Void,
    addSquares:
      @escaping @Sendable (Values, Values, MatrixPart, MutableSums, MutableSums, MutableSums, AdamConstants) -> Void,
    multiplyMeans: @escaping @Sendable (Values, Values, MatrixShape, Int, Int, MutableValues) -> Void,
    adamWithSecondMoments:
      @escaping @Sendable (MutableValues, Values, MutableValues, Values, Int, AdamConstants) -> Float,
    scaleBySmallest:
      @escaping @Sendable (MutableValues, Values, SliceGeometry, Int, Int, UnsafeMutablePointer<Int>) -> Void,
    scaleByLargest:
      @escaping @Sendable (MutableValues, Values, SliceGeometry, Int, Int, UnsafeMutablePointer<Int>) -> Void,
    raiseSlices:
      @escaping @Sendable (Values, SliceGeometry, Int, Int, UnsafeMutablePointer<Int32>, UnsafeMutablePointer<Int>) ->
      Void,
    decodeLevels: @escaping @Sendable (Codes, Int, Int, Values, MutableValues) -> Void,
    encodePacked: @escaping @Sendable (Values, Int, Float, PackedMap, MutableCodes) -> Void,
    fillUniforms: @escaping @Sendable (UInt64, Int, MutableValues) -> Void,
    fastQuantile: @escaping @Sendable (Values, Int) -> Float,
    encodeLogarithmic: @escaping @Sendable (Values, Values, Int, LogarithmicLevels, MutableCodes) -> Void,
    packedSteps: PackedSteps? = nil,
    prefetch: (@Sendable (UnsafeRawPointer, Int) -> Void)? = nil
  ) {
    self.name = name
    self.absmax = absmax
    self.adam = adam
    self.momentum = momentum
    self.byteSteps = byteSteps
    self.adamOnNibbles = adamOnNibbles
    self.momentumOnNibbles = momentumOnNibbles
    self.raiseAdamSlices = raiseAdamSlices
    self.adamOnSlices = adamOnSlices
    self.decodeBytes = decodeBytes
    self.encodeBytes = encodeBytes
    self.decodeNibbles = decodeNibbles
    self.encodeNibbles = encodeNibbles
    self.adamFirstMoments = adamFirstMoments
    self.adamSecondMoments = adamSecondMoments
    self.momentumBuffers = momentumBuffers
    self.addSquares = addSquares
    self.multiplyMeans = multiplyMeans
    self.adamWithSecondMoments = adamWithSecondMoments
    self.scaleBySmallest = scaleBySmallest
    self.scaleByLargest = scaleByLargest
    self.raiseSlices = raiseSlices
    self.decodeLevels = decodeLevels
    self.encodePacked = encodePacked
    self.fillUniforms = fillUniforms
    self.fastQuantile = fastQuantile
    self.encodeLogarithmic = encodeLogarithmic
    self.packedSteps = packedSteps
    self.prefetch = prefetch
  }
}
