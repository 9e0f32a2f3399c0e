import BlockQuantization
internal import TileKernels

/// Blocks by whole steps, in the formats for which the kernel set has one. Results are those of the stages.
extension TensorTask {
  /// Updates some blocks and returns how many were skipped; nil where the stages have to do it.
  func updateInWholeSteps(blocks: Range<Int>, _ scratch: BlockScratch, _ kernels: KernelSet) -> Int? {
    guard rows == nil else { return nil }
    return updateNibbles(blocks, scratch, kernels) ?? updateBytes(blocks, scratch, kernels)
      ?? updatePacked(blocks, scratch, kernels)
  }

  private func updateNibbles(_ blocks: Range<Int>, _ scratch: BlockScratch, _ kernels: KernelSet) -> Int? {
    guard let nibbles = first.nibbleMoment(scratch.first) else { return nil }
    let run = run(over: blocks)
    switch constants {
    case .adam(let constants):
      if let second = second.nibbleMoment(scratch.second) {
        return kernels.adamOnNibbles(run, nibbles, second, constants)
      }
      return second.sliceMoment(scratch.second).map { kernels.adamOnSlices(run, nibbles, $0, constants) }
    case .momentum(let constants): return kernels.momentumOnNibbles(run, nibbles, constants)
    }
  }

  private func updateBytes(_ blocks: Range<Int>, _ scratch: BlockScratch, _ kernels: KernelSet) -> Int? {
    guard let first = first.byteMoment(scratch.first) else { return nil }
    switch constants {
    case .adam(let constants):
      guard let second = second.byteMoment(scratch.second) else { return nil }
      return updateBytes(blocks, scratch, kernels) { kernels.byteSteps.adam($0, first, second, constants) }
    case .momentum(let constants):
      return updateBytes(blocks, scratch, kernels) { kernels.byteSteps.momentum($0, first, constants) }
    }
  }

  /// - Parameter step: returns the first block that it has left to the stages, or the run's end.
  private func updateBytes(
    _ blocks: Range<Int>, _ scratch: BlockScratch, _ kernels: KernelSet, _ step: (BlockRun) -> Int
  ) -> Int {
    var skippedCount = 0
    var block = blocks.lowerBound
    while true {
      block = step(run(over: block..<blocks.upperBound))
      guard block < blocks.upperBound else { return skippedCount }
      if !update(block: block, scratch, kernels) { skippedCount += 1 }
      block += 1
    }
  }

  private func updatePacked(_ blocks: Range<Int>, _ scratch: BlockScratch, _ kernels: KernelSet) -> Int? {
    guard let steps = kernels.packedSteps, blockSize == PackedSteps.blockSize, let first = first.packedMoment else {
      return nil
    }
    switch constants {
    case .adam(let constants):
      guard let second = second.logarithmicMoment else { return nil }
      return updatePacked(blocks, scratch, kernels) { steps.adam($0, first, second, scratch.floats, constants) }
    case .momentum(let constants):
      return updatePacked(blocks, scratch, kernels) { steps.momentum($0, first, scratch.floats, constants) }
    }
  }

  /// - Parameter step: returns in bit i whether it has left the i-th block to the stages.
  private func updatePacked(
    _ blocks: Range<Int>, _ scratch: BlockScratch, _ kernels: KernelSet, _ step: (BlockRun) -> UInt64
  ) -> Int {
    var skippedCount = 0
    for start in stride(from: blocks.lowerBound, to: blocks.upperBound, by: PackedSteps.mostBlocks) {
      var left = step(run(over: start..<min(start + PackedSteps.mostBlocks, blocks.upperBound)))
      while left != 0 {
        if !update(block: start + left.trailingZeroBitCount, scratch, kernels) { skippedCount += 1 }
        left &= left - 1
      }
    }
    return skippedCount
  }
}

extension MomentMemory {
  /// The moment for whole steps over codes of 2 to 4 bits; nil in other formats.
  fileprivate var packedMoment: PackedMoment? {
    guard case .blocks(let codec, let codes, let scales) = self else { return nil }
    return codec.packedMoment(codes: codes, scales: scales)
  }

  /// The moment for whole steps with logarithmic codes; nil in other formats.
  fileprivate var logarithmicMoment: LogarithmicMoment? {
    guard case .logarithmic(let memory) = self, memory.codec.quantileRule == .fast else { return nil }
    return LogarithmicMoment(
      codes: memory.codes, scales: memory.scales, bases: memory.bases, bits: memory.codec.bits,
      streamKey: memory.numbers.stream.key, firstBlock: memory.numbers.firstBlock)
  }
}
