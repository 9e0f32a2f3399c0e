import BlockQuantization
internal import TileKernels

/// Tasks on codes of 2 to 4 bits, where the kernel set has a whole step for them.
extension TensorTask {
  /// Updates some blocks as the stages would, and returns how many were skipped; nil where the kernel set has no such step.
  func updateInWholeSteps(blocks: Range<Int>, _ scratch: BlockScratch, _ kernels: KernelSet) -> Int? {
    guard let steps = kernels.packedSteps, rows == nil, blockSize == PackedSteps.blockSize,
      let first = first.packedMoment
    else { return nil }
    switch constants {
    case .adam(let constants):
      guard let second = second.logarithmicMoment else { return nil }
      return update(blocks: blocks, scratch, kernels) { steps.adam($0, first, second, scratch.floats, constants) }
    case .momentum(let constants):
      return update(blocks: blocks, scratch, kernels) { steps.momentum($0, first, scratch.floats, constants) }
    }
  }

  /// Those that the step leaves are updated stage by stage.
  @inline(__always)
  private func update(
    blocks: Range<Int>, _ scratch: BlockScratch, _ kernels: KernelSet, _ step: (BlockRun) -> UInt64
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
    guard case .blocks(let codec, let codes, let scales) = self, let tables = codec.levelTables else { return nil }
    return PackedMoment(
      codes: codes, scales: scales, bits: tables.bits, values: tables.values, thresholds: tables.thresholds,
      scaleKind: codec.scaleKind)
  }

  /// The moment for whole steps with logarithmic codes; nil in other formats.
  fileprivate var logarithmicMoment: LogarithmicMoment? {
    guard case .logarithmic(let memory) = self, memory.codec.quantileRule == .fast else { return nil }
    return LogarithmicMoment(
      codes: memory.codes, scales: memory.scales, bases: memory.bases, bits: memory.codec.bits,
      streamKey: memory.numbers.stream.key, firstBlock: memory.numbers.firstBlock)
  }
}
