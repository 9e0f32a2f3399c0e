import BlockQuantization

// What no state can hold is stopped on its way out as well as in.

extension ParameterState {
  /// Checks each region by itself, and those that must fit each other.
  func check() throws(CheckpointError) {
    for region in regions {
      if let (index, problem) = region.region.firstProblem(in: UnsafeRawBufferPointer(region.memory)) {
        throw CheckpointError(.invalidValue, "\(region.tensorName(key))[\(index)]", problem)
      }
    }
    for (number, moment) in [(1, first), (2, second)] {
      guard case .logarithmic(let tensor)? = moment?.content, let (block, problem) = tensor.firstProblem else {
        continue
      }
      throw CheckpointError(.invalidValue, "\(key).base\(number)[\(block)]", problem)
    }
  }
}

extension LogarithmicTensor {
  /// The first block whose base does not go with its scale: a level that vanished would make a runaway step of a second
  /// moment.
  fileprivate var firstProblem: (block: Int, problem: String)? {
    for (block, (scale, base)) in zip(storage.scales, storage.bases).enumerated() {
      if scale == 0 {
        if base != 1 { return (block, "\(base) where the largest value is 0; a block of zeros has the base 1") }
        continue
      }
      // As the decoder makes them, with the same roundings.
      var level = scale
      for _ in 1..<1 << quantizer.bits { level *= base }
      if level < .leastNormalMagnitude {
        return (block, "\(base) with the largest value \(scale) gives the level \(level), no normal number")
      }
    }
    return nil
  }
}
