// Other precisions of a rule, in the middle of a run. Nothing converts by itself.

extension LowBitOptimizer {
  /// The state in this optimizer's formats, or itself if it has them already.
  ///
  /// - Parameter seed: for formats that round stochastically.
  final func convert(_ state: ParameterState, seed: UInt64) -> ParameterState {
    let (formats, reason) = formats(for: state.key, count: state.count, shape: state.shape, role: state.role)
    if formats == state.formats && reason == state.reason { return state }
    let converted = ParameterState(
      key: state.key, count: state.count, shape: state.shape, formats: formats, reason: reason, role: state.role)
    converted.step = state.step
    converted.firstBlock = state.firstBlock
    // Other random numbers than those of a step: its moments are 1 and 2.
    func numbers(_ moment: Int) -> BlockRandomNumbers {
      converted.randomNumbers(ofMoment: moment + 2, step: state.step, seed: seed)
    }
    converted.first.convert(from: state.first, drawing: numbers(1))
    if let second = converted.second { second.convert(from: state.second!, drawing: numbers(2)) }
    return converted
  }

  /// Goes on where another optimizer of the same rule is.
  func takeOver(_ source: LowBitOptimizer) {
    guard rule.name == source.rule.name else {
      fatalError("\(type(of: source)) has the rule \(source.rule.name), \(type(of: self)) has \(rule.name)")
    }
    rule = source.rule
    learningRate = source.learningRate
    seed = source.seed
    threadCount = source.threadCount
    states = source.states.mapValues { state in
      let converted = convert(state, seed: seed)
      return converted === state ? ParameterState(copying: state) : converted
    }
  }
}

extension ParameterState {
  convenience init(copying state: ParameterState) {
    self.init(
      key: state.key, count: state.count, shape: state.shape, formats: state.formats, reason: state.reason,
      role: state.role)
    step = state.step
    firstBlock = state.firstBlock
    first.copy(state.first)
    second?.copy(state.second!)
  }
}

extension AdamOptimizer {
  /// Goes on where an Adam of any precision is: its moments in this precision, its steps and hyperparameters. So β1 is the
  /// source's; it does not become the one of ``PrecisionSpecificMomentum``.
  ///
  /// ```swift
  /// let optimizer = Adam8bit(converting: adam32)
  /// ```
  ///
  /// - Parameters:
  ///   - source: keeps its state; an AdamW only for an AdamW, an Adam only for an Adam.
  ///   - sizeRule: which parameters keep 32-bit state; nil for the source's rule.
  ///   - blockSize: values per scale; nil for the precision's own.
  public convenience init(converting source: AdamOptimizer, sizeRule: SizeRule? = nil, blockSize: Int? = nil) {
    self.init(blockSize: blockSize)
    self.sizeRule = sizeRule ?? source.sizeRule
    takeOver(source)
  }
}

extension MomentumOptimizer {
  /// Goes on where a Momentum of any precision is: its buffers in this precision, its steps and hyperparameters. So μ is
  /// the source's; it does not become the one of ``PrecisionSpecificMomentum``.
  ///
  /// ```swift
  /// let optimizer = Momentum8bit(converting: momentum32)
  /// ```
  ///
  /// - Parameters:
  ///   - source: keeps its state.
  ///   - sizeRule: which parameters keep 32-bit state; nil for the source's rule.
  ///   - blockSize: values per scale; nil for the precision's own.
  public convenience init(converting source: MomentumOptimizer, sizeRule: SizeRule? = nil, blockSize: Int? = nil) {
    self.init(blockSize: blockSize)
    self.sizeRule = sizeRule ?? source.sizeRule
    takeOver(source)
  }
}
