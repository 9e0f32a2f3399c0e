// Steps over 8-bit codes for any instruction set, twice over each block. The first pass makes the new moments and finds the
// scales; codes follow from tables. The second moves the parameters; while Adam's divisions run, the next block's values are
// looked up. Until codes are written nothing but scratch memory has been: a block out of the ordinary can start again.

/// Adam on blocks of 8-bit codes. Returns the first block that is out of the ordinary and has been left as it is, or the
/// run's end.
@inlinable @inline(__always)
public func adamOnBytesStage(
  _ run: BlockRun, _ first: ByteMoment, _ second: ByteMoment, _ constants: AdamConstants
) -> Int {
  guard first.map.isSigned && !second.map.isSigned && run.blockSize & 3 == 0 else { return run.firstBlock }
  return constants.withDecayTerms { terms in
    let run = run.withoutShortBlock(4)
    let (m, v) = (first.values, second.values)
    var block = run.firstBlock
    first.lookUp(run, block)
    second.lookUp(run, block)
    while block < run.endBlock {
      let start = block &* run.blockSize
      let count = run.length(of: block)
      let (p, g) = (run.parameters + start, run.gradients + start)

      let (firstScale, secondScale) = (first.scales[block], second.scales[block])
      var firstMaximum: Int32 = 0
      var secondMaximum: Int32 = 0
      for i in 0..<count {
        let g = constants.decayedGradient(g[i], p[i], terms)
        let newM = constants.first(m[i] * firstScale, g)
        let newV = constants.second(v[i] * secondScale, g)
        m[i] = newM
        v[i] = newV
        firstMaximum = max(firstMaximum, magnitudeBits(newM))
        secondMaximum = max(secondMaximum, magnitudeBits(newV))
      }
      let infinity = Int32(bitPattern: Float.infinity.bitPattern)
      guard firstMaximum < infinity && secondMaximum < infinity else { return block }

      first.encode(block, start, count, firstMaximum)
      if second.encode(block, start, count, secondMaximum) < 1 { keepPositive(v, count, second.codes + start) }
      let nextCount = run.lengthAfter(block)
      var i = 0
      while i < count {
        let newP = constants.moved(fourFloats(p + i), fourFloats(m + i), fourFloats(v + i), terms)
        UnsafeMutableRawPointer(p + i).storeBytes(of: newP, as: SIMD4<Float>.self)
        if i < nextCount {
          first.lookUpFour(start &+ count, i)
          second.lookUpFour(start &+ count, i)
        }
        i &+= 4
      }
      block &+= 1
    }
    return block
  }
}

/// Momentum on blocks of 8-bit codes. Returns the first block that is out of the ordinary and has been left as it is, or
/// the run's end.
@inlinable @inline(__always)
public func momentumOnBytesStage(_ run: BlockRun, _ buffer: ByteMoment, _ constants: MomentumConstants) -> Int {
  guard buffer.map.isSigned && run.blockSize & 3 == 0 else { return run.firstBlock }
  return constants.withTerms { terms in
    let run = run.withoutShortBlock(4)
    let b = buffer.values
    var block = run.firstBlock
    while block < run.endBlock {
      let start = block &* run.blockSize
      let count = run.length(of: block)
      let (p, g) = (run.parameters + start, run.gradients + start)

      buffer.lookUp(run, block)
      let scale = buffer.scales[block]
      var maximum: Int32 = 0
      for i in 0..<count {
        let newB = constants.buffer(b[i] * scale, constants.decayedGradient(g[i], p[i], terms))
        b[i] = newB
        maximum = max(maximum, magnitudeBits(newB))
      }
      guard maximum < Int32(bitPattern: Float.infinity.bitPattern) else { return block }

      buffer.encode(block, start, count, maximum)
      for i in 0..<count {
        p[i] = constants.moved(p[i], constants.decayedGradient(g[i], p[i], terms), b[i], terms)
      }
      block &+= 1
    }
    return block
  }
}

@inlinable @inline(__always)
func fourFloats(_ pointer: UnsafePointer<Float>) -> SIMD4<Float> {
  UnsafeRawPointer(pointer).loadUnaligned(as: SIMD4<Float>.self)
}

extension BlockRun {
  /// Elements of the block after this one; 0 if there is none.
  @inlinable @inline(__always)
  public func lengthAfter(_ block: Int) -> Int { block &+ 1 < endBlock ? length(of: block &+ 1) : 0 }
}

extension ByteMoment {
  /// Looks up two values, not multiplied by a scale. Loads are what there are most of: both codes come in one, and the
  /// values are put together in a general register, as storing two costs as much as storing one.
  @inlinable @inline(__always)
  func lookUpTwo(_ start: Int, _ i: Int) {
    let pair = UnsafeRawPointer(codes + (start &+ i)).loadUnaligned(as: UInt16.self)
    let lower = UInt64(map.values[Int(pair & 255)].bitPattern)
    UnsafeMutableRawPointer(values + i).storeBytes(of: map.shiftedValues[Int(pair &>> 8)] | lower, as: UInt64.self)
  }

  @inlinable @inline(__always)
  public func lookUpFour(_ start: Int, _ i: Int) {
    lookUpTwo(start, i)
    lookUpTwo(start, i &+ 2)
  }

  /// Looks up a block's values, of which there are a multiple of four.
  @inlinable @inline(__always)
  public func lookUp(_ run: BlockRun, _ block: Int) {
    guard block < run.endBlock else { return }
    let count = run.length(of: block)
    var i = 0
    while i < count {
      lookUpFour(block &* run.blockSize, i)
      i &+= 4
    }
  }

  /// Encodes a block's new values. Returns the reciprocal of their scale.
  @discardableResult
  @inlinable @inline(__always)
  func encode(_ block: Int, _ start: Int, _ count: Int, _ absmaxBits: Int32) -> Float {
    let reciprocal = newReciprocal(block, count, UInt32(bitPattern: absmaxBits))
    encodeBytesStage(values, count, reciprocal, map, codes + start)
    return reciprocal
  }
}
