import BlockQuantization
import TileKernels

/// What whole steps over 4-bit codes need beside the blocks' data.
final class NibbleMemory {
  let first = BlockQuantizer.normalFloat4.codec
  let second = BlockQuantizer.linear4Unsigned.codec
  /// Of blocks.
  let firstScales = FewBitsMemory.array(16) { _ in 0.01 as Float }
  let secondScales = FewBitsMemory.array(16) { _ in 1e-4 as Float }
  /// 2048 values, a block of 256 a row.
  let shape = SliceShape([8, 256])
  /// Of the rows, then of the columns.
  let scales = FewBitsMemory.array(264) { _ in 1e-4 as Float }
  let reciprocals = FewBitsMemory.array(264) { _ in 1e4 as Float }
  let maxima = FewBitsMemory.array(264) { _ in 0 as Int32 }
  let walkMemory = FewBitsMemory.array(4) { _ in 0 }

  deinit {
    for floats in [firstScales, secondScales, scales, reciprocals] { floats.deallocate() }
    maxima.deallocate()
    walkMemory.deallocate()
  }
}

extension StageMemory {
  /// A stage that takes all blocks at once, in the optimizers' own formats.
  func runOverBlocks(_ stage: Stage, _ kernels: KernelSet) {
    switch stage {
    case .adamOnBytes: _ = kernels.byteSteps.adam(blockRun(of: blockSize), firstBytes, secondBytes, adamConstants)
    case .momentumOnBytes: _ = kernels.byteSteps.momentum(blockRun(of: blockSize), firstBytes, momentumConstants)
    case .adamOnNibbles:
      let second = NibbleMoment(
        codes: unsignedCodes, scales: nibbles.secondScales, map: map(nibbles.second),
        scaleKind: nibbles.second.scaleKind, values: decodedSquares)
      _ = kernels.adamOnNibbles(blockRun(of: 128), firstMoment, second, adamConstants)
    case .raiseSlices: kernels.raiseAdamSlices(blockRun(of: 256), sliceMoment, nibbles.maxima, adamConstants)
    default: _ = kernels.adamOnSlices(blockRun(of: 256), firstMoment, sliceMoment, adamConstants)
    }
  }

  private func blockRun(of blockSize: Int) -> BlockRun {
    BlockRun(
      parameters: parameters, gradients: gradients, count: count, blockSize: blockSize, blocks: 0..<count / blockSize)
  }

  private var firstBytes: ByteMoment {
    ByteMoment(
      codes: signedCodes, scales: nibbles.firstScales, map: byteMap(signed), scaleKind: signed.scaleKind,
      values: decoded, nextValues: decoded + blockSize)
  }

  private var secondBytes: ByteMoment {
    ByteMoment(
      codes: unsignedCodes, scales: nibbles.secondScales, map: byteMap(unsigned), scaleKind: unsigned.scaleKind,
      values: decodedSquares, nextValues: decodedSquares + blockSize)
  }

  private func byteMap(_ codec: BlockCodec) -> ByteMap {
    guard case .bytes(let map) = codec.map else { fatalError("not a codebook of byte codes") }
    return map
  }

  private var firstMoment: NibbleMoment {
    NibbleMoment(
      codes: signedCodes, scales: nibbles.firstScales, map: map(nibbles.first), scaleKind: nibbles.first.scaleKind,
      values: decoded)
  }

  private var sliceMoment: SliceMoment {
    SliceMoment(
      codes: unsignedCodes, map: map(nibbles.second), geometry: nibbles.shape.geometry, scales: nibbles.scales,
      reciprocals: nibbles.reciprocals, values: decodedSquares, walkMemory: nibbles.walkMemory)
  }

  private func map(_ codec: BlockCodec) -> NibbleMap {
    guard case .nibbles(let map) = codec.map else { fatalError("not a codebook of 4-bit codes") }
    return map
  }
}
