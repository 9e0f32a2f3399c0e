import LowBitOptimizers
import TileKernels

/// One optimizer with the tensors that it steps over.
final class StepRunner {
  let label: String
  private let optimizer: LowBitOptimizer
  private let updates: [TensorUpdate]
  private let memory: TrainingMemory
  private let kernels: KernelSet
  private let threads: Int

  /// - Parameters:
  ///   - label: how the row is called: the optimizer's name, and more where one name has several rows.
  ///   - sizes: the tensors that the memory is cut into; nil for one tensor.
  init(
    _ subject: Subject, label: String? = nil, memory: TrainingMemory, sizes: [Int]? = nil, kernels: KernelSet,
    threads: Int
  ) {
    self.label = label ?? subject.name
    self.memory = memory
    self.kernels = kernels
    self.threads = threads
    updates = sizes.map(memory.tensors) ?? memory.oneTensor(subject.shape)
    optimizer = subject.make()
    optimizer.threadCount = threads
    optimizer.kernels = kernels
    // Small tensors would keep float32 state, and the row would not measure what it says.
    optimizer.sizeRule.minimumCount = 0
  }

  var body: TimedBody {
    TimedBody(count: memory.count) { [self] in optimizer.update(updates) }
  }

  /// The row of this runner, after the measurement.
  func row(_ section: Section, _ measurement: InterleavedMeasurement, index: Int, partner: Int) -> MeasuredRow {
    let time = measurement.sample(of: index)
    let ratio = measurement.ratios(of: index, to: partner)
    let stateBytes = Double(optimizer.stateByteCount) / Double(memory.count)
    return MeasuredRow(
      section: section, name: label, kernels: kernels.name, threads: threads, elements: memory.count,
      nanosecondsPerParameter: time.median, stateBytesPerParameter: stateBytes,
      // The parameter is read and written, the gradient read, and the state read and written.
      trafficBytesPerParameter: 12 + 2 * stateBytes, ratioToFloat32: ratio.median, spread: time.spread,
      ratioSpread: index == partner ? nil : ratio.spread, float32Nanoseconds: measurement.sample(of: partner).median)
  }
}

extension Plan {
  /// Measures a family in turns and returns the rows to show. The state is gone afterwards.
  func measure(
    _ family: Family, _ section: Section, memory: TrainingMemory, kernels: KernelSet? = nil, threads: Int? = nil
  ) -> [MeasuredRow] {
    let runners = family.subjects.map {
      StepRunner($0, memory: memory, kernels: kernels ?? self.kernels, threads: threads ?? self.threads)
    }
    let measurement = measure(runners.map(\.body))
    return runners.indices.filter { family.shown.contains(runners[$0].label) }.map {
      runners[$0].row(section, measurement, index: $0, partner: 0)
    }
  }

  func measure(_ bodies: [TimedBody]) -> InterleavedMeasurement {
    InterleavedMeasurement(bodies, rounds: rounds, leastSampleTime: leastSampleTime)
  }
}
