import Dispatch

/// Calls `body` with every block's index, first element and length, on all cores if there are many.
func forEachBlock(of count: Int, blockSize: Int, _ body: @Sendable (_ block: Int, _ start: Int, _ count: Int) -> Void) {
  let blocks = (count + blockSize - 1) / blockSize
  let blocksPerChunk = max(1, (1 << 16) / blockSize)
  let chunks = (blocks + blocksPerChunk - 1) / blocksPerChunk
  @Sendable func run(chunk: Int) {
    for block in chunk * blocksPerChunk..<min((chunk + 1) * blocksPerChunk, blocks) {
      body(block, block * blockSize, min(blockSize, count - block * blockSize))
    }
  }
  if chunks == 1 { return run(chunk: 0) }
  DispatchQueue.concurrentPerform(iterations: chunks, execute: run)
}
