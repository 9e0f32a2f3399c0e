/// Learning to tell handwritten digits apart.
final class DigitTask: ClassificationTask {
  let parameters: ParameterStore
  private let model: Perceptron
  private let images: DigitImages
  private let memory: PerceptronMemory

  init(_ images: DigitImages, hidden: Int = 128, seed: UInt64, batch: Int = 64) {
    self.images = images
    model = Perceptron([DigitImages.pixelCount, hidden, hidden, 10])
    parameters = ParameterStore(layout: model.layout, seed: seed)
    memory = PerceptronMemory(model, rows: batch)
  }

  var tokensPerStep: Int { memory.rows }

  /// Pictures are moved by up to a pixel each way: the model would soon know this small set by heart otherwise.
  func lossAndGradient(at position: inout DataPosition) -> Double {
    let chosen = position.drawNumbers(memory.rows, below: images.training.count)
    let moves = position.drawNumbers(memory.rows, below: 9)
    for row in 0..<memory.rows {
      images.training[chosen[row]].write(
        movedBy: moves[row] % 3 - 1, moves[row] / 3 - 1, to: memory.input + row * DigitImages.pixelCount)
    }
    parameters.gradients.update(repeating: 0, count: parameters.layout.capacity)
    let targets = chosen.map { images.training[$0].digit }
    return model.lossAndGradient(targets: targets, scale: 1 / Float(memory.rows), memory, pass: pass)
      / Double(memory.rows)
  }

  func validationLoss() -> Double {
    var sum = 0.0
    forEachValidationBatch { digits in sum += model.loss(targets: digits, memory, pass: pass) }
    return sum / Double(images.validation.count)
  }

  func validationAccuracy() -> Double {
    var right = 0
    forEachValidationBatch { digits in
      model.forward(memory, rows: digits.count, pass: pass)
      for (row, digit) in digits.enumerated() {
        let scores = UnsafeBufferPointer(start: memory.scores + row * model.classes, count: model.classes)
        if scores.allSatisfy({ $0 <= scores[Int(digit)] }) { right += 1 }
      }
    }
    return Double(right) / Double(images.validation.count)
  }

  private func forEachValidationBatch(_ body: ([Int32]) -> Void) {
    for first in stride(from: 0, to: images.validation.count, by: memory.rows) {
      let batch = images.validation[first..<min(first + memory.rows, images.validation.count)]
      for (row, image) in batch.enumerated() {
        image.write(movedBy: 0, 0, to: memory.input + row * DigitImages.pixelCount)
      }
      body(batch.map(\.digit))
    }
  }

  private var pass: Pass {
    Pass(values: parameters.values, gradients: parameters.gradients, panel: memory.panel)
  }
}
