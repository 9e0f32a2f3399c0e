/// Causal self-attention with several heads: each position mixes the values of itself and the positions before it.
///
/// Vaswani et al., "Attention is all you need", 2017. The layer has no parameters of its own: a row of its input
/// holds query, key and value side by side, made by one dense layer, each `width` wide and cut into heads.
struct Attention {
  let width: Int
  let heads: Int
  let context: Int

  private var headWidth: Int { width / heads }
  private var scale: Float { 1 / Float(headWidth).squareRoot() }

  init(width: Int, heads: Int, context: Int) {
    precondition(width % heads == 0, "the width must be a multiple of the number of heads")
    self.width = width
    self.heads = heads
    self.context = context
  }

  /// Floats that `probabilities` needs.
  func probabilityCount(sequences: Int) -> Int { sequences * heads * context * context }

  /// `projections`: rows of query, key, value. `probabilities` is kept for the backward pass.
  func forward(
    _ projections: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>,
    probabilities: UnsafeMutablePointer<Float>, sequences: Int, pass: Pass
  ) {
    for sequence in 0..<sequences {
      for head in 0..<heads {
        let weights = probabilities + (sequence * heads + head) * context * context
        let (query, key, value) = matrices(projections, sequence, head)
        multiply(query, key.transposed, into: weights, panel: pass.panel)
        for row in 0..<context {
          let scores = weights + row * context
          for column in 0...row { scores[column] *= scale }
          softmax(scores, count: row + 1)
          (scores + row + 1).update(repeating: 0, count: context - row - 1)
        }
        multiply(
          Matrix(weights, rows: context, columns: context), value,
          into: output + sequence * context * width + head * headWidth, resultStep: width, panel: pass.panel)
      }
    }
  }

  /// Overwrites `projectionGradient`. `scratch` holds `context * context` floats.
  func backward(
    projections: UnsafePointer<Float>, probabilities: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>,
    projectionGradient: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>, sequences: Int, pass: Pass
  ) {
    for sequence in 0..<sequences {
      for head in 0..<heads {
        let start = probabilities + (sequence * heads + head) * context * context
        let weights = Matrix(start, rows: context, columns: context)
        let (query, key, value) = matrices(projections, sequence, head)
        let slope = Matrix(
          outputGradient + sequence * context * width + head * headWidth,
          rows: context, columns: headWidth, rowStep: width)
        let target = projectionGradient + sequence * context * 3 * width + head * headWidth
        let panel = pass.panel

        multiply(weights.transposed, slope, into: target + 2 * width, resultStep: 3 * width, panel: panel)
        multiply(slope, value.transposed, into: scratch, panel: panel)
        for row in 0..<context { scoreGradient(scratch + row * context, start + row * context, valid: row + 1) }
        let scores = Matrix(scratch, rows: context, columns: context)
        multiply(scores, key, into: target, resultStep: 3 * width, panel: panel)
        multiply(scores.transposed, query, into: target + width, resultStep: 3 * width, panel: panel)
      }
    }
  }

  /// From the gradient of a row of probabilities to that of its scores, in place; zero where the mask hides them.
  private func scoreGradient(_ slopes: UnsafeMutablePointer<Float>, _ weights: UnsafePointer<Float>, valid: Int) {
    let whole = valid & ~7
    var sums = Lanes()
    for i in stride(from: 0, to: whole, by: 8) { sums += slopes.lanes(i) * weights.lanes(i) }
    var mean = sums.total
    for i in whole..<valid { mean += slopes[i] * weights[i] }
    for i in stride(from: 0, to: whole, by: 8) {
      slopes.setLanes(i, (slopes.lanes(i) - mean) * weights.lanes(i) * scale)
    }
    for i in whole..<valid { slopes[i] = (slopes[i] - mean) * weights[i] * scale }
    (slopes + valid).update(repeating: 0, count: context - valid)
  }

  private func matrices(
    _ projections: UnsafePointer<Float>, _ sequence: Int, _ head: Int
  ) -> (query: Matrix, key: Matrix, value: Matrix) {
    let start = projections + sequence * context * 3 * width + head * headWidth
    func part(_ index: Int) -> Matrix {
      Matrix(start + index * width, rows: context, columns: headWidth, rowStep: 3 * width)
    }
    return (part(0), part(1), part(2))
  }
}
