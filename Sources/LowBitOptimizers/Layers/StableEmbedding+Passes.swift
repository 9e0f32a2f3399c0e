extension StableEmbedding {
  /// Looks up and normalises the rows of `ids`.
  ///
  /// - Returns: `ids.count` × `dimension`, row by row.
  /// - Throws: ``StableEmbeddingError`` for an id out of range; nothing has changed then.
  public func forward(_ ids: [Int]) throws(StableEmbeddingError) -> [Float] {
    try check(ids)
    return [Float](unsafeUninitializedCapacity: ids.count * dimension) { buffer, count in
      count = ids.count * dimension
      write(ids, into: UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
    }
  }

  /// Looks up and normalises the rows of `ids` into the caller's array of `ids.count` × `dimension`.
  ///
  /// - Throws: ``StableEmbeddingError`` for an id out of range; nothing has changed then.
  public func forward(_ ids: [Int], into output: inout [Float]) throws(StableEmbeddingError) {
    try check(ids)
    output.withUnsafeMutableBufferPointer { write(ids, into: $0) }
  }

  /// Looks up and normalises the rows of `ids` into the caller's memory of `ids.count` × `dimension`.
  ///
  /// - Throws: ``StableEmbeddingError`` for an id out of range; nothing has changed then.
  public func forward(
    _ ids: [Int], into output: UnsafeMutableBufferPointer<Float>
  ) throws(StableEmbeddingError) {
    try check(ids)
    write(ids, into: output)
  }

  /// Adds the gradients of the last forward pass, given the loss's gradient by its output, and marks the rows that it
  /// looked up as touched. The parameters must be those of that pass.
  ///
  /// - Parameter outputGradient: as many elements as that pass's output.
  public func backward(_ outputGradient: [Float]) {
    outputGradient.withUnsafeBufferPointer { backward($0) }
  }

  /// Adds the gradients of the last forward pass, as the form with an array does.
  public func backward(_ outputGradient: UnsafeBufferPointer<Float>) {
    checkCount("outputGradient", outputGradient.count, ids.count * dimension)
    guard let gradientAddress = outputGradient.baseAddress, !ids.isEmpty else { return }
    groups.group(ids)
    for id in groups.ids where id != paddingIndex { touchedRows.insert(id) }
    withNormalization { table, normalization in
      weightGradient.withUnsafeMutableBufferPointer { weightGradient in
        let pass = BackwardPass(
          table: table, normalization: normalization, outputGradient: gradientAddress, ids: ids, statistics: statistics,
          groups: groups, paddingIndex: paddingIndex, weightGradient: weightGradient.baseAddress!)
        // Each row by one thread and each column by one thread, their positions in order: no sum depends on the threads.
        let leastIDs = max(1, Self.leastElementsPerPart * groups.ids.count / outputGradient.count)
        forEachPart(of: groups.ids.count, leastPart: leastIDs, threadCount: threadCount) { pass.addRows($0) }
        gainGradient.withUnsafeMutableBufferPointer { gain in
          biasGradient.withUnsafeMutableBufferPointer { bias in
            nonisolated(unsafe) let gain = gain.baseAddress!
            nonisolated(unsafe) let bias = bias.baseAddress!
            let leastColumns = max(16, Self.leastElementsPerPart / ids.count)
            // Each part reads all positions, and long stretches read faster: no more parts than threads.
            forEachPart(of: dimension, leastPart: leastColumns, partsPerThread: 1, threadCount: threadCount) {
              pass.addColumns($0, gain, bias)
            }
          }
        }
      }
    }
  }

  /// Less than this is not worth another thread.
  private static var leastElementsPerPart: Int { 1 << 12 }

  private func check(_ ids: [Int]) throws(StableEmbeddingError) {
    for (position, id) in ids.enumerated() where id < 0 || id >= vocabularySize {
      throw .idOutOfRange(id: id, position: position, vocabularySize: vocabularySize)
    }
  }

  private func write(_ ids: [Int], into output: UnsafeMutableBufferPointer<Float>) {
    checkCount("output", output.count, ids.count * dimension)
    self.ids = ids
    statistics.removeAll(keepingCapacity: true)
    statistics.append(
      contentsOf: repeatElement(.init(mean: 0, inverseDeviation: 0), count: ids.count))
    guard let outputAddress = output.baseAddress, !ids.isEmpty else { return }
    let dimension = dimension
    withNormalization { table, normalization in
      statistics.withUnsafeMutableBufferPointer { statistics in
        nonisolated(unsafe) let statistics = statistics
        nonisolated(unsafe) let table = table
        nonisolated(unsafe) let normalization = normalization
        nonisolated(unsafe) let output = outputAddress
        let leastPositions = max(1, Self.leastElementsPerPart / dimension)
        forEachPart(of: ids.count, leastPart: leastPositions, threadCount: threadCount) { part in
          for position in part {
            let row = table + ids[position] * dimension
            statistics[position] = normalization.statistics(row)
            normalization.forward(row, statistics[position], into: output + position * dimension)
          }
        }
      }
    }
  }

  private func withNormalization(_ body: (UnsafePointer<Float>, LayerNormalization) -> Void) {
    weight.withUnsafeBufferPointer { weight in
      gain.withUnsafeBufferPointer { gain in
        bias.withUnsafeBufferPointer { bias in
          body(
            weight.baseAddress!,
            LayerNormalization(count: dimension, gain: gain.baseAddress!, bias: bias.baseAddress!))
        }
      }
    }
  }
}

/// One backward pass's memory. Threads share it: they write to rows and columns of their own.
private struct BackwardPass: @unchecked Sendable {
  let table: UnsafePointer<Float>
  let normalization: LayerNormalization
  let outputGradient: UnsafePointer<Float>
  let ids: [Int]
  let statistics: [LayerNormalization.Statistics]
  let groups: PositionGroups
  let paddingIndex: Int?
  let weightGradient: UnsafeMutablePointer<Float>

  /// Adds the gradients of the rows of some ids. All positions of an id share its row and statistics, and the derivative is
  /// linear in the output's gradient, so this is summed first.
  func addRows(_ places: Range<Int>) {
    let count = normalization.count
    withUnsafeTemporaryAllocation(of: Double.self, capacity: count) { sum in
      for place in places where groups.ids[place] != paddingIndex {
        sum.initialize(repeating: 0)
        let positions = groups.positions[groups.starts[place]..<groups.starts[place + 1]]
        for position in positions {
          let gradient = outputGradient + position * count
          for i in 0..<count { sum[i] += Double(gradient[i]) }
        }
        let row = groups.ids[place] * count
        normalization.addBackward(
          table + row, statistics[positions.first!], sum.baseAddress!, to: weightGradient + row)
      }
    }
  }

  /// Adds some columns' gradients of gain and bias.
  func addColumns(
    _ columns: Range<Int>, _ gainGradient: UnsafeMutablePointer<Float>, _ biasGradient: UnsafeMutablePointer<Float>
  ) {
    let count = normalization.count
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * columns.count) { sums in
      sums.initialize(repeating: 0)
      let gain = sums.baseAddress!
      let bias = gain + columns.count
      for position in ids.indices {
        let statistics = statistics[position]
        let row = table + (ids[position] * count + columns.lowerBound)
        let gradient = outputGradient + (position * count + columns.lowerBound)
        for i in 0..<columns.count {
          let g = Double(gradient[i])
          gain[i] += g * ((Double(row[i]) - statistics.mean) * statistics.inverseDeviation)
          bias[i] += g
        }
      }
      for i in 0..<columns.count {
        gainGradient[columns.lowerBound + i] += Float(gain[i])
        biasGradient[columns.lowerBound + i] += Float(bias[i])
      }
    }
  }
}
