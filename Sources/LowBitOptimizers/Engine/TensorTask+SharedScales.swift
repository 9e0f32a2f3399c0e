internal import TileKernels

// Scales that many blocks share are found by a pass of their own, before the first block is updated.

extension TensorTask {
  var sharesScales: Bool { first.sliceCount + second.sliceCount > 0 }

  /// Slices of both moments: the maxima of the second follow those of the first.
  var sliceCount: Int { first.sliceCount + second.sliceCount }

  /// Raises the slices' maxima to the magnitudes that the blocks' new moments will have.
  func raiseMaxima(
    _ maxima: UnsafeMutablePointer<Int32>, blocks: Range<Int>, _ scratch: BlockScratch, _ kernels: KernelSet
  ) {
    if first.sliceCount == 0, let slices = second.sliceMoment(scratch.second), case .adam(let constants) = constants {
      kernels.raiseAdamSlices(run(over: blocks), slices, maxima, constants)
    } else {
      for block in blocks { raiseMaxima(maxima, block: block, scratch, kernels) }
    }
  }

  private func raiseMaxima(
    _ maxima: UnsafeMutablePointer<Int32>, block: Int, _ scratch: BlockScratch, _ kernels: KernelSet
  ) {
    let start = block &* blockSize
    let count = min(blockSize, self.count &- start)
    let parameters = parameters + start
    let gradients = gradients + start
    let isSkipped = !(kernels.absmax(gradients, count) < .infinity)
    if case .rankOne(let memory) = first {
      memory.decode(at: start, count: count, into: scratch.first, kernels)
      if !isSkipped {
        switch constants {
        case .adam(let constants):
          kernels.adamFirstMoments(parameters, gradients, scratch.first.values, count, constants)
        case .momentum(let constants):
          kernels.momentumBuffers(parameters, gradients, scratch.first.values, count, constants)
        }
      }
      memory.raise(maxima, to: scratch.first.values, at: start, count: count, memory: scratch.first.memory, kernels)
    }
    if case .rankOne(let memory) = second, case .adam(let constants) = constants {
      memory.decode(at: start, count: count, into: scratch.second, kernels)
      if !isSkipped { kernels.adamSecondMoments(parameters, gradients, scratch.second.values, count, constants) }
      memory.raise(
        maxima + first.sliceCount, to: scratch.second.values, at: start, count: count, memory: scratch.second.memory,
        kernels)
    }
  }

  /// Raises the moments' maxima to those that one thread has found.
  func merge(_ maxima: UnsafePointer<Int32>) {
    first.merge(maxima)
    second.merge(maxima + first.sliceCount)
  }

  func prepareScales() {
    first.prepareScales()
    second.prepareScales()
  }

  func commitScales() {
    first.commitScales()
    second.commitScales()
  }

  /// Encodes a skipped block's values with the new scales: they stay what they are but for being rounded again.
  func keepValues(ofBlock block: Int, at start: Int, count: Int, _ scratch: BlockScratch, _ kernels: KernelSet) {
    for (memory, scratch) in [(first, scratch.first), (second, scratch.second)] {
      guard case .rankOne(let memory) = memory else { continue }
      memory.decode(at: start, count: count, into: scratch, kernels)
      memory.encode(scratch.values, at: start, count: count, absmax: 0, memory: scratch.memory, kernels)
    }
  }
}

extension MomentMemory {
  /// Scales that blocks share; 0 for formats whose blocks stand alone.
  var sliceCount: Int {
    if case .rankOne(let memory) = self { memory.sliceCount } else { 0 }
  }

  func merge(_ maxima: UnsafePointer<Int32>) {
    guard case .rankOne(let memory) = self else { return }
    for slice in 0..<memory.sliceCount { memory.maxima[slice] = max(memory.maxima[slice], maxima[slice]) }
  }

  /// Between the passes: makes the reciprocals that the second pass encodes with.
  func prepareScales() {
    guard case .rankOne(let memory) = self else { return }
    memory.prepareScales()
  }

  /// After the passes: the new scales take the old ones' place.
  func commitScales() {
    guard case .rankOne(let memory) = self else { return }
    memory.commitScales()
  }
}
