import Foundation
import LowBitOptimizers

/// The other process of the checkpoint tests.
@main
enum CheckpointWorker {
  static func main() throws {
    let arguments = CommandLine.arguments
    switch arguments.count > 1 ? arguments[1] : "" {
    case "resume": try resume(folder: URL(fileURLWithPath: arguments[2]), arguments[3], threads: Int(arguments[4])!)
    case "save": try saveForEver(arguments[2])
    default: fatalError("usage: CheckpointWorker resume FOLDER OPTIMIZER THREADS | save FILE")
    }
  }

  /// Continues a run from step 21 to 40.
  private static func resume(folder: URL, _ name: String, threads: Int) throws {
    let optimizer = OptimizerSubject.named(name).make()
    optimizer.threadCount = threads
    try optimizer.restore(from: folder.appendingPathComponent("half.safetensors"))
    var workload = Workload(optimizer)
    try workload.loadParameters(from: folder.appendingPathComponent("half.parameters"))
    workload.run(21...40)
    try optimizer.save(to: folder.appendingPathComponent("resumed.safetensors"))
    try workload.saveParameters(to: folder.appendingPathComponent("resumed.parameters"))
  }

  /// Saves two states in turn, until it is killed.
  private static func saveForEver(_ path: String) throws {
    let states = (0..<2).map { Workload.fixedState($0) }
    for round in 0... { try states[round % 2].save(to: path) }
  }
}
