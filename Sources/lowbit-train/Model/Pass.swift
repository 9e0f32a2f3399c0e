/// What every layer needs while one worker runs forward and backward over its share of a batch.
///
/// Layers read the shared values and add to the worker's own gradients, so workers never wait for each other.
struct Pass {
  let values: UnsafePointer<Float>
  let gradients: UnsafeMutablePointer<Float>
  let panel: ColumnPanel

  func value(_ slot: ParameterSlot) -> UnsafePointer<Float> { values + slot.offset }

  func gradient(_ slot: ParameterSlot) -> UnsafeMutablePointer<Float> { gradients + slot.offset }
}

/// Memory for activations, freed with its owner.
final class ActivationMemory {
  private var blocks: [UnsafeMutablePointer<Float>] = []
  private(set) var floatCount = 0

  func take(_ count: Int) -> UnsafeMutablePointer<Float> {
    let block = UnsafeMutablePointer<Float>.allocate(capacity: count)
    block.initialize(repeating: 0, count: count)
    blocks.append(block)
    floatCount += count
    return block
  }

  deinit { for block in blocks { block.deallocate() } }
}
