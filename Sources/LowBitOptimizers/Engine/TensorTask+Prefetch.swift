internal import TileKernels

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
    forEachRegion(of: first, in: 0..<count, prefetch)
    forEachRegion(of: second, in: 0..<count, prefetch)
  }

  /// Asks for a line of each page that a step over these blocks is to read.
  ///
  /// The processor looks up where a page is when it is first asked for something in it, and does not go far beyond such a
  /// request before it knows. Pages that are asked for together are looked up side by side, which is 8 % of a step.
  func askForPages(_ blocks: Range<Int>) {
    guard rows == nil else { return }
    let elements = blocks.lowerBound * blockSize..<min(blocks.upperBound * blockSize, count)
    askForPages(parameters + elements.lowerBound, 4 * elements.count)
    askForPages(gradients + elements.lowerBound, 4 * elements.count)
    forEachRegion(of: first, in: elements, askForPages)
    forEachRegion(of: second, in: elements, askForPages)
  }

  private func askForPages(_ memory: UnsafeRawPointer, _ byteCount: Int) {
    var offset = 0
    while offset < byteCount {
      prefetch(memory + offset, 0, 2, 1)
      offset += 4096
    }
  }

  /// The memory of a moment of some elements, from a block's beginning on: addresses and bytes.
  private func forEachRegion(
    of moment: MomentMemory, in elements: Range<Int>, _ body: (UnsafeRawPointer, Int) -> Void
  ) {
    let start = elements.lowerBound
    let firstScale = start / blockSize
    let scaleByteCount = 4 * ((elements.count + blockSize - 1) / blockSize)
    switch moment {
    case .float32(let floats): body(floats + start, 4 * elements.count)
    case .blocks(let codec, let codes, let scales):
      body(codes + codec.byteOffset(of: start), codec.byteOffset(of: elements.count))
      body(scales + firstScale, scaleByteCount)
    case .logarithmic(let memory):
      body(memory.codes + start / 8 * memory.codec.bits, elements.count / 8 * memory.codec.bits)
      body(memory.scales + firstScale, scaleByteCount)
      body(memory.bases + firstScale, scaleByteCount)
    case .rankOne(let memory): body(memory.codes + start / 2, (elements.count + 1) / 2)
    case .none, .factored: break
    }
  }
}
