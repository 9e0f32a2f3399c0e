import BlockQuantization
import Foundation

extension LowBitOptimizer {
  /// Takes over the state that bitsandbytes or PyTorch has saved, in any ``ForeignLayout``.
  ///
  /// The file holds moments and step counts. Hyperparameters are this optimizer's own: create it with those of the run.
  /// 8-bit state goes on exactly, in the blocks that it has, whatever this optimizer's own block size. A parameter's shape
  /// is that of its tensor in the file. Everything is checked before anything changes. <doc:CheckpointFormat> shows the Python that writes such a file.
  ///
  /// ```swift
  /// let optimizer = AdamW8bit(learningRate: 1e-3, weightDecay: 0.01)
  /// try optimizer.importState(from: URL(filePath: "adamw8bit.safetensors"))
  /// ```
  ///
  /// - Parameters:
  ///   - converting: false refuses state that does not have the precision that this optimizer and its size rule give
  ///     to the parameter. True encodes all state in this optimizer's formats.
  ///   - parameters: the model's parameters and their element counts, if the file must be of exactly these.
  /// - Throws: ``CheckpointError``, and the optimizer is then bit-identical to before.
  public final func importState(
    from url: URL, converting: Bool = false, expecting parameters: [ParameterKey: Int]? = nil
  ) throws(CheckpointError) {
    try importState(reading: try FileSource(try url.localPath()), converting: converting, expecting: parameters)
  }

  final func importState(
    reading source: any ByteSource, converting: Bool = false, expecting parameters: [ParameterKey: Int]? = nil
  ) throws(CheckpointError) {
    do throws(CheckpointError) {
      let reader = try SafetensorsReader(source)
      let moments = formats.second == nil ? 1 : 2
      var plans: [(key: ParameterKey, plan: ForeignPlan, formats: StateFormats, reason: FormatReason)] = []
      for parameter in try ForeignParameter.all(in: reader.header) {
        let plan = try parameter.plan(moments: moments)
        let (formats, reason) = try formats(of: plan, key: parameter.key, converting: converting)
        plans.append((parameter.key, plan, formats, reason))
      }
      guard !plans.isEmpty else { throw CheckpointError(.unsupported, "file", "holds no optimizer state") }
      try checkParameters(plans.map { ($0.key, $0.plan.count) }, expecting: parameters)
      try reader.checkMemory(
        beside: converting ? plans.reduce(0) { $0 + $1.formats.conversionByteCount($1.plan.count) } : 0)
      var imported: [ParameterKey: ParameterState] = [:]
      for (key, plan, formats, reason) in plans {
        let state = ParameterState(key: key, count: plan.count, shape: plan.shape, formats: formats, reason: reason)
        try reader.fill(state, plan)
        imported[key] = converting ? convert(state, seed: seed) : state
      }
      states = imported
    } catch {
      throw error.at(source.path)
    }
  }

  /// The formats in which the file has a parameter's state.
  private func formats(
    of plan: ForeignPlan, key: ParameterKey, converting: Bool
  ) throws(CheckpointError) -> (StateFormats, FormatReason) {
    let (own, reason) = formats(for: key, count: plan.count, shape: plan.shape, role: .weight)
    guard converting || plan.is32Bit == own.is32Bit else {
      throw CheckpointError(
        .mismatch, "\(key)",
        "the file has \(plan.is32Bit ? 32 : 8)-bit state, here it would be \(own.first.identifier) (\(reason)); the size "
          + "rule can be set, or converting: true converts it")
    }
    let isPair = plan.moments.count == 2
    if plan.is32Bit {
      return (
        StateFormats(.float32, isPair ? .float32 : nil, blockSize: formats.blockSize),
        own.is32Bit ? reason : .keptByRequest
      )
    }
    let found = StateFormats(.dynamic8, isPair ? .dynamic8 : nil, blockSize: try plan.blockSize())
    guard converting || found.isSamePrecision(as: own) else {
      throw CheckpointError(
        .mismatch, "\(key)", "the file has \(found.line), here it would be \(own.line); converting: true converts it")
    }
    return (found, .largeEnough)
  }
}

extension SafetensorsReader {
  fileprivate func fill(_ state: ParameterState, _ plan: ForeignPlan) throws(CheckpointError) {
    let regions = state.regions
    for (index, moment) in plan.moments.enumerated() {
      let tensors = [moment.state] + [moment.scales].compactMap { $0 }
      for (region, tensor) in zip(regions.filter { $0.moment == index + 1 }, tensors) {
        try read(tensor, into: region.memory)
        if let (index, problem) = region.region.firstProblem(in: UnsafeRawBufferPointer(region.memory)) {
          throw CheckpointError(.invalidValue, "\(tensor.name)[\(index)]", problem)
        }
      }
      if let map = moment.map { try checkMap(map, isSecond: index == 1) }
    }
    state.step = try plan.step.map { tensor throws(CheckpointError) in try step(tensor) } ?? 1
  }

  /// The file's table must be the one that the codes will be read with. Torch computes it anew in every run, and its
  /// last bits depend on the CPU.
  private func checkMap(_ tensor: SafetensorsHeader.Tensor, isSecond: Bool) throws(CheckpointError) {
    let codebook = isSecond ? Codebook.dynamic8Unsigned : .dynamic8
    guard tensor.count == codebook.values.count else {
      throw CheckpointError(.unsupported, tensor.name, "has \(tensor.count) values, not \(codebook.values.count)")
    }
    let values: [Float] = try values(tensor)
    for (index, expected) in codebook.values.enumerated()
    where !((values[index] - expected).magnitude <= 4 * expected.ulp) {
      throw CheckpointError(
        .unsupported, "\(tensor.name)[\(index)]",
        "is \(values[index]), but \(codebook) has \(expected): the codes were made with another table")
    }
  }

  private func step(_ tensor: SafetensorsHeader.Tensor) throws(CheckpointError) -> Int {
    var step: Int?
    if tensor.type == .f32 {
      step = Int(exactly: (try values(tensor) as [Float])[0])
    } else {
      var value: Int64 = 0
      try withUnsafeMutableBytes(of: &value) { bytes throws(CheckpointError) in try read(tensor, into: bytes) }
      step = Int(exactly: Int64(littleEndian: value))
    }
    guard let step, (0...CheckpointManifest.largestStep).contains(step) else {
      throw CheckpointError(.invalidValue, tensor.name, "is no whole number from 0 to 2^53")
    }
    return step
  }
}
