/// One block of 8-bit codes, and the scratch memory that its new values go to.
public struct ByteBlock {
  public var codes: UnsafePointer<UInt8>
  public var scale: Float
  public var map: ByteMap
  public var values: UnsafeMutablePointer<Float>

  @inlinable @inline(__always)
  public init(
    codes: UnsafePointer<UInt8>, scale: Float, map: ByteMap, values: UnsafeMutablePointer<Float>
  ) {
    self.codes = codes
    self.scale = scale
    self.map = map
    self.values = values
  }

  @inlinable @inline(__always)
  public func advanced(by count: Int) -> ByteBlock {
    ByteBlock(codes: codes + count, scale: scale, map: map, values: values + count)
  }

  @inlinable @inline(__always)
  func decode(_ count: Int) { decodeBytesStage(codes, count, scale, map, values) }
}

/// Adam from codes.
@inlinable @inline(__always)
public func adamFromBytesStage(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>, _ first: ByteBlock,
  _ second: ByteBlock,
  _ count: Int, _ constants: AdamConstants
) -> MomentMaxima {
  first.decode(count)
  second.decode(count)
  return adamStage(parameters, gradients, first.values, second.values, count, constants)
}

/// Momentum from codes.
@inlinable @inline(__always)
public func momentumFromBytesStage(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>, _ buffer: ByteBlock, _ count: Int,
  _ constants: MomentumConstants
) -> Float {
  buffer.decode(count)
  return momentumStage(parameters, gradients, buffer.values, count, constants)
}
