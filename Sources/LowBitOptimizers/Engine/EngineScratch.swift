internal import TileKernels

/// The threads' memory for one step: of a fixed size, whatever the number of parameters.
final class EngineScratch {
  let threadCount: Int
  let blockSize: Int
  /// Slices whose maxima a thread can gather.
  let sliceCount: Int
  /// For each thread, the task whose maxima it gathers; −1 for none.
  let taskOfMaxima: UnsafeMutablePointer<Int>

  private let floatsPerThread: Int
  private let floats: UnsafeMutablePointer<Float>
  private let maxima: UnsafeMutablePointer<Int32>
  private let integers: UnsafeMutablePointer<Int>

  /// Two a dimension, and a line between threads.
  private static let integersPerThread = 2 * TensorUpdate.mostDimensions + 8

  init(threadCount: Int, blockSize: Int, sliceCount: Int) {
    self.threadCount = threadCount
    self.blockSize = blockSize
    self.sliceCount = sliceCount
    // For two moments, a block's values and random numbers, or the next block's values, or what a whole step over several
    // blocks needs.
    floatsPerThread = Self.stride(max(4 * blockSize, PackedSteps.scratchCount))
    floats = Self.allocate(Float.self, threadCount * floatsPerThread)
    floats.initialize(repeating: 0, count: threadCount * floatsPerThread)
    maxima = Self.allocate(Int32.self, threadCount * Self.stride(sliceCount))
    maxima.initialize(repeating: 0, count: threadCount * Self.stride(sliceCount))
    integers = .allocate(capacity: threadCount * Self.integersPerThread)
    integers.initialize(repeating: 0, count: threadCount * Self.integersPerThread)
    taskOfMaxima = .allocate(capacity: threadCount)
    taskOfMaxima.initialize(repeating: -1, count: threadCount)
  }

  deinit {
    floats.deallocate()
    maxima.deallocate()
    integers.deallocate()
    taskOfMaxima.deallocate()
  }

  /// Room between threads, so that they do not write into each other's cache lines.
  private static func stride(_ count: Int) -> Int { (count + 15) / 16 * 16 + 32 }

  private static func allocate<Element: BitwiseCopyable>(_: Element.Type, _ count: Int) -> UnsafeMutablePointer<Element>
  {
    UnsafeMutableRawPointer.allocate(byteCount: 4 * count, alignment: 64).bindMemory(to: Element.self, capacity: count)
  }

  func blockScratch(_ thread: Int) -> BlockScratch {
    let base = floats + thread * floatsPerThread
    let memory = integers + thread * Self.integersPerThread
    return BlockScratch(
      first: MomentScratch(values: base, uniforms: base + 2 * blockSize, memory: memory),
      second: MomentScratch(values: base + blockSize, uniforms: base + 3 * blockSize, memory: memory),
      floats: base)
  }

  func maxima(_ thread: Int) -> UnsafeMutablePointer<Int32> { maxima + thread * Self.stride(sliceCount) }
}
