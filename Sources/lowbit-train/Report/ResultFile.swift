import Foundation
import ProgramSupport

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
    try resultJSON(
      results.map { result in
        Row(
          optimizer: result.optimizer, steps: result.steps, finalTrainingLoss: result.finalTrainingLoss,
          finalValidationLoss: result.finalValidationLoss, stateBytes: result.stateBytes,
          stateBytesPerParameter: result.stateBytesPerParameter, secondsPerStep: result.secondsPerStep)
      })
  }
}
