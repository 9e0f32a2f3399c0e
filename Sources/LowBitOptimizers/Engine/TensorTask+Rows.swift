internal import TileKernels

extension TensorTask {
  /// Updates the selected rows' elements of one block, counted among those that hold any. Returns false if it was skipped.
  ///
  /// Low-bit moments are encoded as a whole block: those of its other rows keep their values but for being rounded again.
  func update(_ rows: SelectedRows, selectedBlock: Int, _ scratch: BlockScratch, _ kernels: KernelSet) -> Bool {
    let block = rows.blocks[selectedBlock]
    let start = block * blockSize
    let count = min(blockSize, self.count - start)
    var isFinite = true
    rows.forEachPart(of: start..<start + count) { part in
      if !(kernels.absmax(gradients + part.lowerBound, part.count) < .infinity) { isFinite = false }
    }
    guard isFinite else { return false }
    let m = first.values(ofBlock: block, at: start, count: count, scratch: scratch.first, kernels)
    switch constants {
    case .adam(let constants):
      let v = second.values(ofBlock: block, at: start, count: count, scratch: scratch.second, kernels)
      rows.forEachPart(of: start..<start + count) { part in
        let offset = part.lowerBound - start
        _ = kernels.adam(
          parameters + part.lowerBound, gradients + part.lowerBound, m + offset, v + offset, part.count, constants)
      }
      first.store(
        m, ofBlock: block, at: start, count: count, absmax: kernels.absmax(m, count), scratch: scratch.first, kernels)
      second.store(
        v, ofBlock: block, at: start, count: count, absmax: kernels.absmax(v, count), scratch: scratch.second, kernels)
    case .momentum(let constants):
      rows.forEachPart(of: start..<start + count) { part in
        _ = kernels.momentum(
          parameters + part.lowerBound, gradients + part.lowerBound, m + (part.lowerBound - start), part.count,
          constants)
      }
      first.store(
        m, ofBlock: block, at: start, count: count, absmax: kernels.absmax(m, count), scratch: scratch.first, kernels)
    }
    return true
  }
}
