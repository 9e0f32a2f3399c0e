import Foundation

/// The results as JSON: an array with one object for each optimizer.
enum ResultFile {
  private struct Row: Encodable {
    let optimizer: String
    let steps: Int
    let finalTrainingLoss: Double
    let finalValidationLoss: Double
    let stateBytes: Int
    let stateBytesPerParameter: Double
    let secondsPerStep: Double
  }

  static func json(_ results: [TrainingResult]) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    // JSON has no such numbers, and a run that went wrong should still leave a file.
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "infinity", negativeInfinity: "-infinity", nan: "nan")
    return try encoder.encode(
      results.map { result in
        Row(
          optimizer: result.optimizer, steps: result.steps, finalTrainingLoss: result.finalTrainingLoss,
          finalValidationLoss: result.finalValidationLoss, stateBytes: result.stateBytes,
          stateBytesPerParameter: result.stateBytesPerParameter, secondsPerStep: result.secondsPerStep)
      })
  }
}
