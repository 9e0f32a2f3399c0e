import BlockQuantization

/// A copy of some consecutive blocks of a parameter's state, with its step count and formats.
///
/// Blocks count from element 0 of the parameter, so a shard that begins at a block boundary holds the very codes and
/// scales that the whole parameter has there. Where rounding is stochastic, that takes the whole's ``LowBitOptimizer/seed``
/// and key too; the shard itself remembers which blocks it has.
///
/// ```swift
/// let half = whole.blockCount(of: "w") / 2
/// shard.merge([whole.extract(blocks: 0..<half, of: "w")], as: "w")
/// ```
public struct StateSlice: @unchecked Sendable {
  /// Elements of the slice.
  public var count: Int { state.count }
  /// Updates that the parameter has had.
  public var step: Int { state.step }
  /// Bytes of all moments, codes and scales.
  public var byteCount: Int { state.byteCount }

  // Shared, but never written after it was filled.
  fileprivate let state: ParameterState
}

extension LowBitOptimizer {
  /// Elements of a block of a parameter's state; nil before its first update.
  public final func blockSize(of key: ParameterKey) -> Int? { states[key]?.formats.blockSize }

  /// Blocks of a parameter's state; 0 before its first update.
  public final func blockCount(of key: ParameterKey) -> Int { states[key]?.blockCount ?? 0 }

  /// Copies the state of some blocks of a parameter, or of all.
  ///
  /// - Precondition: the parameter has state, and it has these blocks.
  public final func extract(blocks: Range<Int>? = nil, of key: ParameterKey) -> StateSlice {
    guard let state = states[key] else { fatalError("\(key) has no state to extract") }
    let blocks = blocks ?? 0..<state.blockCount
    guard blocks.lowerBound >= 0, blocks.upperBound <= state.blockCount else {
      fatalError("\(key) has \(state.blockCount) blocks, not \(blocks)")
    }
    guard !state.formats.sharesScales else {
      fatalError("\(key): \(state.formats.line) cannot be cut between blocks")
    }
    let size = state.formats.blockSize
    let start = min(blocks.lowerBound * size, state.count)
    let slice = state.empty(count: min(blocks.upperBound * size, state.count) - start)
    slice.firstBlock = state.firstBlock + blocks.lowerBound
    for (target, source) in zip(slice.regions, state.regions) {
      guard let range = source.region.byteRange(ofBlocks: blocks) else {
        fatalError("\(key): \(state.formats.line) cannot be cut between blocks")
      }
      target.memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: source.memory[range]))
    }
    return StateSlice(state: slice)
  }

  /// Makes a parameter's state out of slices that follow each other, in place of the one that it has.
  ///
  /// The codes, scales and steps are those of the slices: a run whose shards are merged goes on as if it had always been
  /// whole, bit for bit.
  ///
  /// - Precondition: the slices have one step count and the same formats, those of this optimizer or 32 bits; each but the
  ///   last is a whole number of blocks; and slices of one whole follow each other without a gap.
  public final func merge(_ slices: [StateSlice], as key: ParameterKey) {
    guard let first = slices.first?.state else { fatalError("\(key): no slices to merge") }
    guard (first.formats.is32Bit ? formats.in32Bit : formats).covers(first.formats) else {
      fatalError("\(key): a slice of \(first.formats.line) in an optimizer of \(formats.line)")
    }
    // Shards that were never parts of a whole all begin at their own block 0, and say nothing about their order.
    let arePlaced = slices.contains { $0.state.firstBlock > 0 }
    for (index, slice) in slices.enumerated() {
      guard slice.state.formats == first.formats, slice.step == first.step else {
        fatalError(
          "\(key): slice \(index) has step \(slice.step) and \(slice.state.formats.line), slice 0 has \(first.step) and "
            + first.formats.line)
      }
      let position = first.firstBlock + slices[..<index].reduce(0) { $0 + $1.state.blockCount }
      guard !arePlaced || slice.count == 0 || slice.state.firstBlock == position else {
        fatalError("\(key): slice \(index) begins at block \(slice.state.firstBlock), not \(position)")
      }
      let isLast = slices[(index + 1)...].allSatisfy { $0.count == 0 }
      guard isLast || slice.count % first.formats.blockSize == 0 else {
        fatalError("\(key): slice \(index) has \(slice.count) elements, no multiple of \(first.formats.blockSize)")
      }
    }
    let whole = first.empty(key: key, count: slices.reduce(0) { $0 + $1.count })
    for (index, target) in whole.regions.enumerated() {
      var offset = 0
      for slice in slices {
        let source = slice.state.regions[index].memory
        UnsafeMutableRawBufferPointer(rebasing: target.memory[offset...]).copyMemory(from: .init(source))
        offset += source.count
      }
    }
    states[key] = whole
  }
}

extension ParameterState {
  fileprivate var blockCount: Int { (count + formats.blockSize - 1) / formats.blockSize }

  /// A state of the same kind and step, but of another length.
  fileprivate func empty(key: ParameterKey? = nil, count: Int) -> ParameterState {
    let state = ParameterState(
      key: key ?? self.key, count: count, shape: count == self.count ? shape : nil, formats: formats, reason: reason,
      role: role)
    state.step = step
    state.firstBlock = firstBlock
    return state
  }
}
