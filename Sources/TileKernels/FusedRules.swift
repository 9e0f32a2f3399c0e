/// A block of codes, and the scratch memory that its new values go to.
public protocol CodeBlock {
  var values: UnsafeMutablePointer<Float> { get }
  /// Writes the first `count` values.
  func decode(_ count: Int)
}

/// One block of 8-bit codes.
public struct ByteBlock: CodeBlock {
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
  public func decode(_ count: Int) { decodeBytesStage(codes, count, scale, map, values) }
}

/// One block of 4-bit codes.
public struct NibbleBlock: CodeBlock {
  public var codes: UnsafePointer<UInt8>
  public var scale: Float
  public var map: NibbleMap
  public var values: UnsafeMutablePointer<Float>

  @inlinable @inline(__always)
  public init(
    codes: UnsafePointer<UInt8>, scale: Float, map: NibbleMap, values: UnsafeMutablePointer<Float>
  ) {
    self.codes = codes
    self.scale = scale
    self.map = map
    self.values = values
  }

  /// - Parameter count: even.
  @inlinable @inline(__always)
  public func advanced(by count: Int) -> NibbleBlock {
    NibbleBlock(codes: codes + count / 2, scale: scale, map: map, values: values + count)
  }

  @inlinable @inline(__always)
  public func decode(_ count: Int) { decodeNibblesStage(codes, count, scale, map, values) }
}

/// Adam from codes.
@inlinable @inline(__always)
public func adamFromCodesStage<Block: CodeBlock>(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>, _ first: Block, _ second: Block,
  _ count: Int, _ constants: AdamConstants
) -> MomentMaxima {
  first.decode(count)
  second.decode(count)
  return adamStage(parameters, gradients, first.values, second.values, count, constants)
}

/// Momentum from codes.
@inlinable @inline(__always)
public func momentumFromCodesStage<Block: CodeBlock>(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>, _ buffer: Block, _ count: Int,
  _ constants: MomentumConstants
) -> Float {
  buffer.decode(count)
  return momentumStage(parameters, gradients, buffer.values, count, constants)
}
