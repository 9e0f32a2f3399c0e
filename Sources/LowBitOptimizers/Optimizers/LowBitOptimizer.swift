import BlockQuantization
package import TileKernels

/// Any optimizer of this package, so that the precision can be chosen at run time.
///
/// Moves parameters along gradients and keeps the moments that this takes under each parameter's key. Use one of the
/// concrete classes: ``Adam32``, ``Adam8bit``, ``Adam4bit``, ``Adam3bit``, ``Adam2bit``, the same of AdamW and Momentum,
/// or ``AdamMixed`` with a format of its own for each moment.
///
/// ```swift
/// let optimizer: LowBitOptimizer = useLowBits ? Adam8bit(learningRate: 1e-3) : Adam32(learningRate: 1e-3)
/// optimizer.update("layer1.weight", &weights, along: gradient)
/// ```
///
/// A step runs over all cores. After a parameter's first it allocates nothing of its own; Dispatch takes a few small blocks
/// to wake threads. Its result has the same bits for any
/// number of threads and on every CPU. An optimizer is used from one thread at a time.
public class LowBitOptimizer {
  /// Read at every update, so a schedule sets it between steps.
  public var learningRate: Float {
    didSet {
      checkHyperparameter("learningRate", learningRate, in: 0 ... .greatestFiniteMagnitude)
      exactLearningRate = Double(decimal: learningRate)
    }
  }
  private var exactLearningRate: Double

  /// Which parameters keep 32-bit state.
  public var sizeRule = SizeRule()

  /// Decides the random numbers of formats that round stochastically, together with each parameter's key and step; the
  /// others do not use it. Replicas that must stay equal need equal seeds.
  public var seed: UInt64 = 0

  /// Threads that a step may use: all cores at first. The result does not depend on it.
  public var threadCount: Int {
    get { engine.threadCount }
    set {
      guard newValue > 0 else { fatalError("threadCount \(newValue) is not positive") }
      engine.threadCount = newValue
    }
  }

  /// The stage functions of the step. Every set gives the same result.
  package var kernels: KernelSet {
    get { engine.kernels }
    set { engine.kernels = newValue }
  }

  /// Restoring a checkpoint replaces these and the states.
  final var rule: any UpdateRule
  final var formats: StateFormats
  private let engine: StepEngine
  final var states: [ParameterKey: ParameterState] = [:] {
    didSet { isLastCallCurrent = false }
  }
  /// The states of the call in progress, one a task.
  private var statesInCall: [ParameterState] = []
  /// Those of the call before: most programs name their tensors in the same order every time, and comparing a key costs
  /// less than looking it up.
  private var statesInLastCall: [ParameterState] = []
  /// Whether the states have stayed as they were since the last call.
  private var isLastCallCurrent = false
  private var callCount = 0

  init(learningRate: Float, rule: any UpdateRule, formats: StateFormats) {
    checkHyperparameter("learningRate", learningRate, in: 0 ... .greatestFiniteMagnitude)
    self.learningRate = learningRate
    exactLearningRate = Double(decimal: learningRate)
    self.rule = rule
    self.formats = formats
    engine = StepEngine(blockSize: formats.blockSize)
  }

  // MARK: - Updating

  /// Moves many tensors in one call: one parallel loop over all their blocks.
  ///
  /// - Precondition: no key occurs twice, no two tensors share memory, no gradient overlaps another tensor's parameter, and
  ///   sizes agree with the gradients and with earlier calls.
  @discardableResult
  public final func update(_ tensors: [TensorUpdate]) -> UpdateSummary { updateEach(of: tensors) }

  final func updateEach(of tensors: some Collection<TensorUpdate>) -> UpdateSummary {
    callCount += 1
    engine.removeAllTasks()
    swap(&statesInCall, &statesInLastCall)
    if !isLastCallCurrent { statesInLastCall.removeAll(keepingCapacity: true) }
    statesInCall.removeAll(keepingCapacity: true)
    var constants: (step: Int, value: StepConstants)?
    for tensor in tensors {
      let state = state(for: tensor)
      if state.lastCall == callCount { fatalError("\(tensor.key) occurs twice in one update") }
      state.lastCall = callCount
      if tensor.parameter.isEmpty {
        state.step += 1
        continue
      }
      if constants?.step != state.step + 1 {
        constants = (state.step + 1, rule.constants(step: state.step + 1, learningRate: exactLearningRate))
      }
      statesInCall.append(state)
      engine.addTask(
        tensor,
        first: state.first.memory.drawing(state.randomNumbers(ofMoment: 1, step: state.step + 1, seed: seed)),
        second: state.second?.memory.drawing(state.randomNumbers(ofMoment: 2, step: state.step + 1, seed: seed))
          ?? .none, constants!.value, blockSize: state.formats.blockSize)
    }
    isLastCallCurrent = true
    // The two lists take turns: the next call must not have to grow the other one.
    statesInLastCall.reserveCapacity(statesInCall.count)
    engine.run()
    return finishCall()
  }

  /// A tensor of which every block was skipped has not made a step.
  private func finishCall() -> UpdateSummary {
    var summary = UpdateSummary()
    for (index, state) in statesInCall.enumerated() {
      let (skipped, all) = engine.outcome(ofTask: index)
      if skipped < all { state.step += 1 }
      summary.blockCount += all
      summary.skippedBlockCount += skipped
    }
    return summary
  }

  private func state(for tensor: TensorUpdate) -> ParameterState {
    tensor.checkSizes()
    let count = tensor.parameter.count
    let place = statesInCall.count
    let isExpected = place < statesInLastCall.count && statesInLastCall[place].key == tensor.key
    if let state = isExpected ? statesInLastCall[place] : states[tensor.key] {
      guard state.count == count else {
        fatalError("\(tensor.key): the parameter has \(count) elements, its state \(state.count)")
      }
      if let shape = tensor.shape, state.formats.sharesScales && shape != state.shape {
        fatalError("\(tensor.key): the parameter has shape \(shape), its state \(state.shape!)")
      }
      if tensor.rows != nil && state.formats.second == .factored {
        fatalError("\(tensor.key): its state is \(state.formats.line), an update of single rows needs blocks")
      }
      return state
    }
    let (formats, reason) = formats(for: tensor.key, count: count, shape: tensor.shape, role: tensor.role)
    let state = ParameterState(
      key: tensor.key, count: count, shape: tensor.shape, formats: formats, reason: reason, role: tensor.role)
    states[tensor.key] = state
    return state
  }

  /// The formats of a new state.
  final func formats(
    for key: ParameterKey, count: Int, shape: [Int]?, role: ParameterRole
  ) -> (StateFormats, FormatReason) {
    let reason = formats.is32Bit ? .optimizerIs32Bit : sizeRule.decision(for: key, count: count, role: role)
    guard reason == .largeEnough else { return (formats.in32Bit, reason) }
    // An update of a few rows must not change the scales of all others.
    return (formats.fitting(role == .embedding ? nil : shape), reason)
  }

  // MARK: - Looking inside

  /// Bytes that the state of all parameters takes: codes, scales and 32-bit moments.
  public final var stateByteCount: Int { states.values.reduce(0) { $0 + $1.byteCount } }

  /// Updates that a parameter has had; 0 before the first.
  public final func stepCount(of key: ParameterKey) -> Int { states[key]?.step ?? 0 }

  /// A parameter's moments as the next step will read them; nil before its first update.
  public final func moments(of key: ParameterKey) -> Moments? {
    states[key].map { Moments(first: $0.first.decoded(), second: $0.second?.decoded()) }
  }

  /// A parameter's codes and scales; nil before its first update, and for moments that are kept in 32 bits.
  public final func quantizedMoments(of key: ParameterKey) -> QuantizedMoments? {
    states[key].map { QuantizedMoments(first: $0.first.encoded(), second: $0.second?.encoded()) }
  }

  /// Forgets all state, as if no update had happened.
  public final func reset() {
    states.removeAll()
    statesInCall.removeAll()
    statesInLastCall.removeAll()
  }
}

/// Stops on a hyperparameter that no training can mean.
func checkHyperparameter(_ name: String, _ value: Float, in range: ClosedRange<Float>) {
  guard range.contains(value) else {
    fatalError("\(name) \(value) is not between \(range.lowerBound) and \(range.upperBound)")
  }
}
