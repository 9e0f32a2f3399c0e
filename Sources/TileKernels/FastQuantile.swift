/// About the 0.1-quantile of the positive values among `count` finite ones, none negative: 0 if there is none.
///
/// At most 4096 values. They fall into max(1, count / 16) groups, value i into group i modulo their number. Of the smallest positive
/// values of the k groups that have one, the ⌈0.75 k⌉-th smallest.
@inlinable @inline(__always)
public func fastQuantileStage(_ values: UnsafePointer<Float>, _ count: Int) -> Float {
  let groups = max(1, count / 16)
  // A constant size, so that there is one copy of the body, which is inlined.
  return withUnsafeTemporaryAllocation(of: Int32.self, capacity: 256) { buffer in
    let minima = buffer.baseAddress!
    for group in 0..<groups { minima[group] = noPositive }
    var start = 0
    while start < count {
      for i in 0..<min(groups, count &- start) {
        minima[i] = min(minima[i], positiveKey(values[start &+ i]))
      }
      start &+= groups
    }
    return value(ofKey: upperMinimum(minima, groups))
  }
}

/// Orders positive finite floats, and puts zeros of either sign above them.
@inlinable @inline(__always)
func positiveKey(_ value: Float) -> Int32 {
  Int32(bitPattern: value.bitPattern &- 1) & 0x7fff_ffff
}

@inlinable @inline(__always)
var noPositive: Int32 { 0x7fff_ffff }

@inlinable @inline(__always)
func value(ofKey key: Int32) -> Float { key == noPositive ? 0 : Float(bitPattern: UInt32(bitPattern: key) &+ 1) }

/// The ⌈0.75 k⌉-th smallest of the k keys that stand for a positive value: the largest key that has fewer than that many
/// below it.
@inlinable @inline(__always)
func upperMinimum(_ keys: UnsafePointer<Int32>, _ count: Int) -> Int32 {
  var present: Int32 = 0
  for i in 0..<count { present &+= keys[i] < noPositive ? 1 : 0 }
  if present == 0 { return noPositive }
  let rank = (3 &* present &+ 3) / 4
  var result: Int32 = 0
  for i in 0..<count {
    let key = keys[i]
    var below: Int32 = 0
    for j in 0..<count { below &+= keys[j] < key ? 1 : 0 }
    if below < rank && key < noPositive { result = max(result, key) }
  }
  return result
}
