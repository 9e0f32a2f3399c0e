/// About the 0.07-quantile of the positive values among `count` finite ones, none negative: 0 if there is none.
///
/// At most 4096 values. They fall into max(1, count / 16) groups, value i into group i modulo their number. Of the smallest
/// positive values of the k groups that have one, the ⌈0.75 k⌉-th smallest.
@inlinable @inline(__always)
public func fastQuantileStage(_ values: UnsafePointer<Float>, _ count: Int) -> Float {
  // A constant size, so that there is one copy of the body, which is inlined.
  withUnsafeTemporaryAllocation(of: Int32.self, capacity: 256) { buffer in
    let minima = buffer.baseAddress!
    let key: Int32
    if count == 128 {
      eightMinima(of128: values, minima)
      key = upperMinimum(minima, 8)
    } else {
      let groups = max(1, count / 16)
      groupMinima(values, count, groups, minima)
      key = upperMinimum(minima, groups)
    }
    return key == noPositive ? 0 : Float(bitPattern: UInt32(bitPattern: key) &+ 1)
  }
}

/// The key of zeros, and of a group without positive values.
@inlinable @inline(__always)
var noPositive: Int32 { 0x7fff_ffff }

/// Orders positive finite floats like the floats, and puts zeros of either sign above them.
@inlinable @inline(__always)
func positiveKey(_ value: Float) -> Int32 { Int32(bitPattern: value.bitPattern &- 1) & noPositive }

@inlinable @inline(__always)
func groupMinima(
  _ values: UnsafePointer<Float>, _ count: Int, _ groups: Int, _ minima: UnsafeMutablePointer<Int32>
) {
  for group in 0..<groups { minima[group] = noPositive }
  var start = 0
  while start < count {
    for i in 0..<min(groups, count &- start) { minima[i] = min(minima[i], positiveKey(values[start &+ i])) }
    start &+= groups
  }
}

/// `groupMinima` of the usual block, with the minima in registers.
@inlinable @inline(__always)
func eightMinima(of128 values: UnsafePointer<Float>, _ minima: UnsafeMutablePointer<Int32>) {
  var (m0, m1, m2, m3) = (noPositive, noPositive, noPositive, noPositive)
  var (m4, m5, m6, m7) = (noPositive, noPositive, noPositive, noPositive)
  var row = values
  for _ in 0..<16 {
    m0 = min(m0, positiveKey(row[0]))
    m1 = min(m1, positiveKey(row[1]))
    m2 = min(m2, positiveKey(row[2]))
    m3 = min(m3, positiveKey(row[3]))
    m4 = min(m4, positiveKey(row[4]))
    m5 = min(m5, positiveKey(row[5]))
    m6 = min(m6, positiveKey(row[6]))
    m7 = min(m7, positiveKey(row[7]))
    row += 8
  }
  minima[0] = m0
  minima[1] = m1
  minima[2] = m2
  minima[3] = m3
  minima[4] = m4
  minima[5] = m5
  minima[6] = m6
  minima[7] = m7
}

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
