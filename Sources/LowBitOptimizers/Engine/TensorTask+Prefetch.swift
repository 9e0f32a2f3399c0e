/// Nothing announces a small tensor's memory to the processor: where a step over one begins, it would wait.
extension TensorTask {
  /// Elements whose memory is asked for while the task before is in hand. Those after them the step itself asks for in time.
  private static let headLength = 1024
  /// Fewer of those with most bytes: the processor waits where it is asked for more lines than it can have on their way.
  private static let valueHeadLength = 256

  func askForHead(_ prefetch: (UnsafeRawPointer, Int) -> Void) {
    guard rows == nil else { return }
    let count = min(count, Self.headLength)
    let valueCount = min(count, Self.valueHeadLength)
    prefetch(parameters, 4 * valueCount)
    prefetch(gradients, 4 * valueCount)
    first.askForHead(count, blockSize: blockSize, prefetch)
    second.askForHead(count, blockSize: blockSize, prefetch)
  }
}

extension MomentMemory {
  fileprivate func askForHead(_ count: Int, blockSize: Int, _ prefetch: (UnsafeRawPointer, Int) -> Void) {
    let scaleByteCount = 4 * ((count + blockSize - 1) / blockSize)
    switch self {
    case .float32(let floats): prefetch(floats, 4 * count)
    case .blocks(let codec, let codes, let scales):
      prefetch(codes, codec.byteOffset(of: count))
      prefetch(scales, scaleByteCount)
    case .logarithmic(let memory):
      prefetch(memory.codes, count / 8 * memory.codec.bits)
      prefetch(memory.scales, scaleByteCount)
      prefetch(memory.bases, scaleByteCount)
    case .none, .rankOne, .factored: break
    }
  }
}
