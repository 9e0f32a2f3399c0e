import ProgramSupport

/// Pieces of text for one step: inputs, and for each of them the character that follows it.
struct Windows: Equatable {
  var inputs: [Int32] = []
  var targets: [Int32] = []

  mutating func append(_ text: [Int32], start: Int, context: Int) {
    inputs += text[start..<start + context]
    targets += text[start + 1...start + context]
  }
}

/// How far a run has read: saving this is enough to draw the same windows again.
struct DataPosition: Equatable, Codable {
  private(set) var windowsDrawn = 0
  private var generator: SplitMix64

  init(seed: UInt64) { generator = SplitMix64(seed: seed, stream: "data order") }

  /// The next `count` windows, each starting anywhere in the text.
  mutating func draw(_ count: Int, from text: [Int32], context: Int) -> Windows {
    var windows = Windows()
    for _ in 0..<count {
      let start = Int(generator.nextUniform() * Double(text.count - context))
      windows.append(text, start: start, context: context)
    }
    windowsDrawn += count
    return windows
  }

  /// The next `count` numbers, each from 0 up to but not including `limit`.
  mutating func drawNumbers(_ count: Int, below limit: Int) -> [Int] {
    (0..<count).map { _ in Int(generator.nextUniform() * Double(limit)) }
  }
}

/// Windows at even distances over the whole text, always the same ones. They overlap when the text is short.
func evenlySpacedWindows(_ count: Int, from text: [Int32], context: Int) -> Windows {
  var windows = Windows()
  let last = text.count - context - 1
  for index in 0..<count {
    windows.append(text, start: count > 1 ? last * index / (count - 1) : 0, context: context)
  }
  return windows
}
