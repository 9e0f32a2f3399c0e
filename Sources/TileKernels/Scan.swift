/// A float's bits without its sign: they order like the magnitudes, with infinity and then NaN above all numbers, and
/// their maximum is the same on every CPU, which that of floats is not where NaN is involved.
@inlinable @inline(__always)
public func magnitudeBits(_ value: Float) -> Int32 { Int32(bitPattern: value.bitPattern & 0x7fff_ffff) }

/// The largest magnitude of `count` values: infinity or NaN if any of them is.
@inlinable @inline(__always)
public func absmaxStage(_ values: UnsafePointer<Float>, _ count: Int) -> Float {
  var maximum: Int32 = 0
  for i in 0..<count { maximum = max(maximum, magnitudeBits(values[i])) }
  return Float(bitPattern: UInt32(bitPattern: maximum))
}

/// The largest magnitudes of the moments that a rule has just written: the next scales.
public struct MomentMaxima {
  public var first: Float
  public var second: Float

  @inlinable @inline(__always)
  public init(firstBits: Int32, secondBits: Int32) {
    first = Float(bitPattern: UInt32(bitPattern: firstBits))
    second = Float(bitPattern: UInt32(bitPattern: secondBits))
  }
}

/// Replaces what no scale can carry: NaN by zero, infinities by the greatest finite value of their sign.
@inlinable @inline(__always)
public func saturateStage(_ values: UnsafeMutablePointer<Float>, _ count: Int) {
  for i in 0..<count {
    let value = values[i]
    values[i] = value < -Float.greatestFiniteMagnitude ? -Float.greatestFiniteMagnitude : saturated(value)
  }
}

/// The same for a value that is not negative.
@inlinable @inline(__always)
func saturated(_ value: Float) -> Float {
  let greatest = Float.greatestFiniteMagnitude
  return value != value ? 0 : (value > greatest ? greatest : value)
}

/// The bits of a value that is not negative, once it is saturated.
@inlinable @inline(__always)
func saturatedBits(_ value: Float) -> Int32 { magnitudeBits(saturated(value)) }
