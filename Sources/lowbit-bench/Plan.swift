import BlockQuantization
import ProgramSupport
import TileKernels

/// What to measure and how long: the options, with the machine's properties filled in.
struct Plan: Sendable {
  var filter: String?
  var elements: Int
  var threads: Int
  /// The sets to compare, the one for all other sections last.
  var kernelSets: [KernelSet]
  var rounds: Int
  /// Steps on small tensors are repeated until a sample takes so many nanoseconds.
  var leastSampleTime = 2e6
  /// Bytes of each array of the memory measurements.
  var roofArrayByteCount: Int
  var sizes: [Int]
  var batchTensorCount = 10_000

  var kernels: KernelSet { kernelSets[kernelSets.count - 1] }

  init(_ options: Options) throws(UsageProblem) {
    filter = options.filter
    elements = options.elements
    threads = options.threads ?? Machine.threads
    rounds = options.rounds
    let names = KernelSet.available.map(\.name).joined(separator: ", ")
    kernelSets = KernelSet.available.filter { $0.name == options.kernels ?? $0.name }
    guard !kernelSets.isEmpty else {
      throw UsageProblem("no kernel set is named \(options.kernels ?? ""); this machine can run \(names)")
    }
    if options.kernels == nil {
      // The library's own choice, which the environment may have changed, goes last.
      kernelSets = kernelSets.filter { $0.name != KernelSet.current.name } + [KernelSet.current]
    }
    // Copies within the cache would say nothing about memory. Virtual machines may report far too large a cache.
    roofArrayByteCount = max(1 << 28, min(1 << 30, 4 * Machine.lastLevelCacheByteCount))

    let bytesPerParameter = 8 + Subject.mostStateBytesPerParameter
    let most = Machine.memoryByteCount / bytesPerParameter
    guard elements <= most else {
      throw UsageProblem("--elements \(elements) needs more memory than there is; \(most) would fit")
    }
    // Half of the memory, because nobody asked for the large ones.
    sizes = ([12, 14, 16, 18, 20, 22, 24, 26, 27].map { 1 << $0 }).filter { $0 <= most / 2 }

    // A misspelt filter should not end in an empty report.
    guard (Subject.all.map(\.name) + Stage.allCases.map(\.rawValue)).contains(where: isShown) else {
      throw UsageProblem("no optimizer or stage has \(filter ?? "") in its name")
    }
  }

  func isShown(_ name: String) -> Bool {
    guard let filter else { return true }
    return name.lowercased().contains(filter.lowercased())
  }

  /// The families for a section: those that the filter names, or the section's own choice.
  func families(or partners: [String] = Subject.all.map(\.name)) -> [Family] {
    Family.families { filter == nil ? partners.contains($0.partner) : isShown($0.name) }
  }
}
