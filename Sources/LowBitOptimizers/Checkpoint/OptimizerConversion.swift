// Other precisions of a rule, in the middle of a run. Nothing converts by itself.

extension LowBitOptimizer {
  /// The state in this optimizer's formats, or itself if it has them already.
  final func convert(_ state: ParameterState) -> ParameterState {
    let (formats, reason) = formats(for: state.key, count: state.count, shape: state.shape, role: state.role)
    if formats == state.formats && reason == state.reason { return state }
    let converted = ParameterState(
      key: state.key, count: state.count, shape: state.shape, formats: formats, reason: reason, role: state.role)
    converted.step = state.step
    converted.firstBlock = state.firstBlock
    converted.first.convert(from: state.first, seed: seed)
    if let second = converted.second { second.convert(from: state.second!, seed: seed) }
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
      let converted = convert(state)
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
    first.convert(from: state.first)
    if let second { second.convert(from: state.second!) }
  }
}

extension AdamOptimizer {
  /// Goes on where an Adam of any precision is: its moments in this precision, its steps and hyperparameters.
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
  /// Goes on where a Momentum of any precision is: its buffers in this precision, its steps and hyperparameters.
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
