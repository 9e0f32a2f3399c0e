// Whole passes of Adam over blocks whose first moment is in blocks of 4-bit codes and whose second has one scale vector a
// dimension. Scaling, rule and scaling back are one loop here: the values stay in registers.

/// A moment of 4-bit codes with one scale vector a dimension, and scratch memory for one block's values.
public struct SliceMoment {
  public var codes: UnsafeMutablePointer<UInt8>
  public var map: NibbleMap
  public var geometry: SliceGeometry
  /// What the codes are scaled by before the step, vector after vector.
  public var scales: UnsafePointer<Float>
  /// The reciprocals of the scales after it.
  public var reciprocals: UnsafePointer<Float>
  public var values: UnsafeMutablePointer<Float>
  /// For the walk over the rows: two numbers a dimension.
  public var walkMemory: UnsafeMutablePointer<Int>

  public init(
    codes: UnsafeMutablePointer<UInt8>, map: NibbleMap, geometry: SliceGeometry, scales: UnsafePointer<Float>,
    reciprocals: UnsafePointer<Float>, values: UnsafeMutablePointer<Float>, walkMemory: UnsafeMutablePointer<Int>
  ) {
    self.codes = codes
    self.map = map
    self.geometry = geometry
    self.scales = scales
    self.reciprocals = reciprocals
    self.values = values
    self.walkMemory = walkMemory
  }

  /// The map's values, yet to be scaled.
  @inlinable @inline(__always)
  func decode<Stages: NibbleStages>(_: Stages.Type, _ start: Int, _ count: Int) {
    Stages.decode(codes + start / 2, count, 1, map, values)
  }

  /// Values that have been divided by the new scales.
  @inlinable @inline(__always)
  func encode<Stages: NibbleStages>(_: Stages.Type, _ start: Int, _ count: Int) {
    Stages.encode(values, count, 1, map, codes + start / 2)
  }
}

/// The first pass: raises the slices' maxima, magnitudes as bits, to the second moments that the step will make.
@inlinable @inline(__always)
public func raiseAdamSlices<Stages: NibbleStages>(
  _ stages: Stages.Type, _ run: BlockRun, _ second: SliceMoment, _ maxima: UnsafeMutablePointer<Int32>,
  _ constants: AdamConstants
) {
  for block in run.firstBlock..<run.endBlock {
    let start = block &* run.blockSize
    let count = run.length(of: block)
    second.decode(stages, start, count)
    guard Stages.absmax(run.gradients + start, count) < .infinity else {
      scaleBySmallestStage(second.values, second.scales, second.geometry, start, count, second.walkMemory)
      raiseSlicesStage(second.values, second.geometry, start, count, maxima, second.walkMemory)
      continue
    }
    var walk = RowWalk(second.geometry, from: start, count: count, second.walkMemory)
    while walk.advance() {
      let maximum = raiseColumns(
        run.parameters + (start &+ walk.offset), run.gradients + (start &+ walk.offset), second.values + walk.offset,
        walk.smallest(second.scales), walk.columns(second.scales), walk.columns(maxima), walk.length, constants)
      walk.raise(maxima, to: maximum)
    }
  }
}

/// Returns the row's maximum.
@inlinable @inline(__always)
func raiseColumns(
  _ parameters: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ values: UnsafePointer<Float>,
  _ scale: Float, _ columnScales: UnsafePointer<Float>, _ columns: UnsafeMutablePointer<Int32>, _ count: Int,
  _ constants: AdamConstants
) -> Int32 {
  constants.withDecayTerms { terms in
    var rowMaximum: Int32 = 0
    for i in 0..<count {
      let g = constants.decayedGradient(gradients[i], parameters[i], terms)
      let bits = saturatedBits(constants.second(values[i] * smaller(scale, columnScales[i]), g))
      rowMaximum = max(rowMaximum, bits)
      columns[i] = max(columns[i], bits)
    }
    return rowMaximum
  }
}

/// The second pass. Returns the number of blocks whose gradients are not finite: they keep their parameters, and their
/// second moments but for being rounded again.
@inlinable @inline(__always)
public func adamOnSlices<Stages: NibbleStages>(
  _ stages: Stages.Type, _ run: BlockRun, _ first: NibbleMoment, _ second: SliceMoment, _ constants: AdamConstants
) -> Int {
  var skippedCount = 0
  for block in run.firstBlock..<run.endBlock {
    let start = block &* run.blockSize
    let count = run.length(of: block)
    second.decode(stages, start, count)
    guard Stages.absmax(run.gradients + start, count) < .infinity else {
      scaleBySmallestStage(second.values, second.scales, second.geometry, start, count, second.walkMemory)
      scaleByLargestStage(second.values, second.reciprocals, second.geometry, start, count, second.walkMemory)
      second.encode(stages, start, count)
      skippedCount &+= 1
      continue
    }
    first.decode(stages, block, start, count)
    var maximum: Int32 = 0
    var walk = RowWalk(second.geometry, from: start, count: count, second.walkMemory)
    while walk.advance() {
      maximum = max(
        maximum,
        adamOnRow(
          run.parameters + (start &+ walk.offset), run.gradients + (start &+ walk.offset), first.values + walk.offset,
          second.values + walk.offset, walk.smallest(second.scales), walk.columns(second.scales),
          walk.largest(second.reciprocals), walk.columns(second.reciprocals), walk.length, constants))
    }
    first.encode(stages, block, start, count, Float(bitPattern: UInt32(bitPattern: maximum)))
    second.encode(stages, start, count)
  }
  return skippedCount
}

/// `adamStage` on second moments that are scaled before and divided by their new scales after. Returns the first moments'
/// maximum, as bits.
@inlinable @inline(__always)
func adamOnRow(
  _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
  _ firstMoments: UnsafeMutablePointer<Float>, _ secondMoments: UnsafeMutablePointer<Float>,
  _ scale: Float, _ columnScales: UnsafePointer<Float>, _ reciprocal: Float, _ columnReciprocals: UnsafePointer<Float>,
  _ count: Int, _ constants: AdamConstants
) -> Int32 {
  constants.withDecayTerms { terms in
    var maximum: Int32 = 0
    for i in 0..<count {
      let p = parameters[i]
      let g = constants.decayedGradient(gradients[i], p, terms)
      let m = constants.first(firstMoments[i], g)
      let v = constants.second(secondMoments[i] * smaller(scale, columnScales[i]), g)
      parameters[i] = constants.moved(p, m, v, terms)
      firstMoments[i] = m
      secondMoments[i] = saturated(v) * larger(reciprocal, columnReciprocals[i])
      maximum = max(maximum, magnitudeBits(m))
    }
    return maximum
  }
}
