extension StableEmbedding {
  /// Moves the table's touched rows, the gain and the bias, under the keys "name.weight", "name.gain" and "name.bias".
  ///
  /// Gradients stay as they are: call ``zeroGradients()`` before the next ones are added.
  @discardableResult
  public func update(with optimizer: LowBitOptimizer) -> UpdateSummary {
    withTensorUpdates { optimizer.update($0) }
  }

  /// The strict form: moves all three, or throws and leaves parameters and state untouched.
  ///
  /// - Throws: ``NonFiniteGradient`` if a gradient holds a NaN or an infinity.
  public func updateStrictly(with optimizer: LowBitOptimizer) throws(NonFiniteGradient) {
    try withTensorUpdates { (updates: [TensorUpdate]) throws(NonFiniteGradient) in
      try optimizer.updateStrictly(updates)
    }
  }

  /// Sets all gradients to zero and forgets which rows were touched. The cost is that of the touched rows.
  public func zeroGradients() {
    forEachTouchedElement { $0 = 0 }
    touchedRows.removeAll()
  }

  /// Multiplies all gradients, to clip them or to average over several passes.
  public func scaleGradients(by factor: Float) {
    forEachTouchedElement { $0 *= factor }
  }

  /// Adds a gradient of the table from another use of it, such as an output layer with tied weights. That touches all rows
  /// but the padding row, whose gradient is left out.
  ///
  /// - Parameter gradient: `vocabularySize` × `dimension`.
  public func addWeightGradient(_ gradient: [Float]) {
    checkCount("weight", gradient.count, weight.count)
    for row in 0..<vocabularySize where row != paddingIndex {
      touchedRows.insert(row)
      for index in row * dimension..<(row + 1) * dimension { weightGradient[index] += gradient[index] }
    }
  }

  /// The sum of the squares of all gradients, for clipping by their norm. The order of the sum is fixed.
  public var gradientSquareSum: Double {
    var sum = 0.0
    for row in touchedRows.selectedRows {
      for index in row * dimension..<(row + 1) * dimension {
        sum += Double(weightGradient[index]) * Double(weightGradient[index])
      }
    }
    for value in gainGradient + biasGradient { sum += Double(value) * Double(value) }
    return sum
  }

  private func forEachTouchedElement(_ body: (inout Float) -> Void) {
    weightGradient.withUnsafeMutableBufferPointer { gradient in
      for row in touchedRows.selectedRows {
        for index in row * dimension..<(row + 1) * dimension { body(&gradient[index]) }
      }
    }
    for index in 0..<dimension {
      body(&gainGradient[index])
      body(&biasGradient[index])
    }
  }

  /// No shape: scales per row and column would tie the rows to each other where the state is in low bits.
  private func withTensorUpdates<Result, Failure: Error>(
    _ body: ([TensorUpdate]) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try weight.withUnsafeMutableBufferPointer { weight throws(Failure) in
      try gain.withUnsafeMutableBufferPointer { gain throws(Failure) in
        try bias.withUnsafeMutableBufferPointer { bias throws(Failure) in
          try weightGradient.withUnsafeBufferPointer { weightGradient throws(Failure) in
            try gainGradient.withUnsafeBufferPointer { gainGradient throws(Failure) in
              try biasGradient.withUnsafeBufferPointer { biasGradient throws(Failure) in
                var table = TensorUpdate("\(name).weight", weight, along: weightGradient, role: .embedding)
                table.rows = touchedRows
                return try body([
                  table, TensorUpdate("\(name).gain", gain, along: gainGradient),
                  TensorUpdate("\(name).bias", bias, along: biasGradient),
                ])
              }
            }
          }
        }
      }
    }
  }
}
