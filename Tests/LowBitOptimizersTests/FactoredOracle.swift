import Foundation

@testable import LowBitOptimizers

/// Adam or AdamW with a factored second moment, written from the published formulas in Double and plain loops.
struct FactoredOracle {
  let shape: [Int]
  let rule: AdamRule
  let learningRate: Double
  var parameter: [Double]
  var first: [Double]
  var rows: [Double]
  var columns: [Double]
  var step = 0
  /// Elements that are left out of a step together.
  var blockSize = 128

  var rowCount: Int { shape[shape.count - 2] }
  var columnCount: Int { shape[shape.count - 1] }

  init(_ optimizer: LowBitOptimizer, shape: [Int], parameter: [Float]) {
    self.shape = shape
    rule = optimizer.rule as! AdamRule
    learningRate = Double(decimal: optimizer.learningRate)
    self.parameter = parameter.map { Double($0) }
    first = [Double](repeating: 0, count: parameter.count)
    rows = [Double](repeating: 0, count: parameter.count / shape[shape.count - 1])
    columns = [Double](repeating: 0, count: parameter.count / shape[shape.count - 2])
  }

  private func place(_ index: Int) -> (row: Int, column: Int) {
    let matrix = index / (rowCount * columnCount)
    return (index / columnCount, matrix * columnCount + index % columnCount)
  }

  func isSkipped(_ index: Int, _ gradient: [Float]) -> Bool {
    let start = index / blockSize * blockSize
    return gradient[start..<min(start + blockSize, gradient.count)].contains { !$0.isFinite }
  }

  mutating func update(along gradient: [Float]) {
    step += 1
    let skipped = gradient.allSatisfy(\.isFinite) ? nil : gradient.indices.map { isSkipped($0, gradient) }
    var g = gradient.map { Double($0) }
    if rule.decay == .coupled { for i in g.indices { g[i] += rule.weightDecay * parameter[i] } }

    // Means of squares, over what is not skipped.
    var sums = (rows: rows.map { _ in 0.0 }, columns: columns.map { _ in 0.0 })
    var counts = sums
    for i in g.indices where skipped?[i] != true {
      let (row, column) = place(i)
      sums.rows[row] += g[i] * g[i]
      sums.columns[column] += g[i] * g[i]
      counts.rows[row] += 1
      counts.columns[column] += 1
    }
    for i in rows.indices where counts.rows[i] > 0 {
      rows[i] = rule.beta2 * rows[i] + (1 - rule.beta2) * sums.rows[i] / counts.rows[i]
    }
    for i in columns.indices where counts.columns[i] > 0 {
      columns[i] = rule.beta2 * columns[i] + (1 - rule.beta2) * sums.columns[i] / counts.columns[i]
    }
    let meansOfRows = stride(from: 0, to: rows.count, by: rowCount).map { start in
      rows[start..<start + rowCount].reduce(0, +) / Double(rowCount)
    }

    let correction1 = rule.biasCorrection ? 1 - pow(rule.beta1, Double(step)) : 1
    let correction2 = rule.biasCorrection ? 1 - pow(rule.beta2, Double(step)) : 1
    for i in g.indices where skipped?[i] != true {
      let (row, column) = place(i)
      let mean = meansOfRows[row / rowCount]
      let v = mean == 0 ? 0 : rows[row] / mean * columns[column]
      first[i] = rule.beta1 * first[i] + (1 - rule.beta1) * g[i]
      if rule.decay == .decoupled { parameter[i] *= 1 - learningRate * rule.weightDecay }
      parameter[i] -= learningRate / correction1 * first[i] / ((v / correction2).squareRoot() + rule.epsilon)
    }
  }
}

/// The means of some second moments, in plain code.
func plainMeans(of values: [Float], _ shape: [Int]) -> FactoredMoment {
  let (n, m) = (shape[shape.count - 2], shape[shape.count - 1])
  let rows = (0..<values.count / m).map { row in
    Float((0..<m).reduce(0.0) { $0 + Double(values[row * m + $1]) } / Double(m))
  }
  let columns = (0..<values.count / n).map { column in
    let start = column / m * n * m + column % m
    return Float((0..<n).reduce(0.0) { $0 + Double(values[start + $1 * m]) } / Double(n))
  }
  return FactoredMoment(shape: shape, rowMeans: rows, columnMeans: columns)
}

extension LowBitOptimizer {
  /// Gives a parameter factored state whatever its shape: the fitness of a shape is no matter of the step.
  func makeFactoredState(_ key: ParameterKey, shape: [Int]) {
    states[key] = ParameterState(
      key: key, count: shape.reduce(1, *), shape: shape,
      formats: StateFormats(
        first: formats.first.fitting(nil, blockSize: formats.blockSize), second: .factored, blockSize: formats.blockSize
      ),
      reason: .largeEnough)
  }

  func factoredMoment(of key: ParameterKey) -> FactoredMoment? {
    guard case .factored(let moment)? = quantizedMoments(of: key)?.second else { return nil }
    return moment
  }
}
