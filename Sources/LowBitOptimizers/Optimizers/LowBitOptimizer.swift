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
  /// The states of the engine's tasks.
  private var order = CallOrder()
  /// Whether the states have stayed as they were since the last call.
  private var isLastCallCurrent = false

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
    order.beginCall(isSame: isLastCallCurrent)
    engine.beginCall()
    var lastConstants: (step: Int, value: StepConstants)?
    func constants(step: Int) -> StepConstants {
      if let lastConstants, lastConstants.step == step { return lastConstants.value }
      let value = rule.constants(step: step, learningRate: exactLearningRate)
      lastConstants = (step, value)
      return value
    }
    for tensor in tensors {
      tensor.checkSizes()
      if order.repeatPlace(of: tensor.key) {
        let place = order.count - 1
        let task = engine.task(place)
        if !task.pointee.fits(tensor) { order.withState(at: place) { check(tensor, against: $0) } }
        assert(order.withState(at: place) { $0.step } == task.pointee.stepCount, "steps counted elsewhere")
        engine.repeatTask(tensor, constants(step: task.pointee.stepCount + 1))
      } else {
        let state = state(for: tensor)
        if tensor.parameter.isEmpty {
          order.mark(state)
          state.step += 1
          continue
        }
        order.add(state)
        engine.addTask(
          tensor, first: state.first.memory, second: state.second?.memory ?? .none,
          constants(step: state.step + 1), blockSize: state.formats.blockSize, stepCount: state.step)
      }
      drawNumbers(forTask: order.count - 1)
    }
    isLastCallCurrent = true
    engine.run()
    return finishCall()
  }

  /// Gives its formats the random numbers of this step, where they need any.
  private func drawNumbers(forTask place: Int) {
    let task = engine.task(place)
    func numbers(ofMoment moment: Int) -> BlockRandomNumbers {
      order.withState(at: place) { $0.randomNumbers(ofMoment: moment, step: task.pointee.stepCount + 1, seed: seed) }
    }
    task.pointee.first.draw(numbers(ofMoment: 1))
    task.pointee.second.draw(numbers(ofMoment: 2))
  }

  /// A tensor of which every block was skipped has not made a step.
  private func finishCall() -> UpdateSummary {
    var summary = UpdateSummary()
    for place in 0..<order.count {
      let task = engine.task(place)
      let (skipped, all) = (task.pointee.skippedBlockCount, task.pointee.blockCount)
      if skipped < all {
        task.pointee.stepCount += 1
        order.withState(at: place) { $0.step = task.pointee.stepCount }
      }
      summary.blockCount += all
      summary.skippedBlockCount += skipped
    }
    return summary
  }

  private func state(for tensor: TensorUpdate) -> ParameterState {
    if let state = states[tensor.key] {
      check(tensor, against: state)
      return state
    }
    let count = tensor.parameter.count
    let (formats, reason) = formats(for: tensor.key, count: count, shape: tensor.shape, role: tensor.role)
    let state = ParameterState(
      key: tensor.key, count: count, shape: tensor.shape, formats: formats, reason: reason, role: tensor.role)
    states[tensor.key] = state
    return state
  }

  private func check(_ tensor: TensorUpdate, against state: ParameterState) {
    let count = tensor.parameter.count
    guard state.count == count else {
      fatalError("\(tensor.key): the parameter has \(count) elements, its state \(state.count)")
    }
    if let shape = tensor.shape, state.formats.sharesScales && shape != state.shape {
      fatalError("\(tensor.key): the parameter has shape \(shape), its state \(state.shape!)")
    }
    if tensor.rows != nil && state.formats.second == .factored {
      fatalError("\(tensor.key): its state is \(state.formats.line), an update of single rows needs blocks")
    }
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
    order = CallOrder()
  }
}

/// Stops on a hyperparameter that no training can mean.
func checkHyperparameter(_ name: String, _ value: Float, in range: ClosedRange<Float>) {
  guard range.contains(value) else {
    fatalError("\(name) \(value) is not between \(range.lowerBound) and \(range.upperBound)")
  }
}
