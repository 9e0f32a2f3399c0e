import Foundation
import TestSupport
import XCTest

@testable import LowBitOptimizers

/// States that bitsandbytes and PyTorch saved themselves, and states saved for them.
final class ForeignCheckpointTests: XCTestCase {
  private let keys = ["embed.weight", "fc.weight", "fc.bias"]

  private func golden(_ name: String) -> URL {
    Bundle.module.url(forResource: "Golden/import_\(name)", withExtension: "safetensors")!
  }

  /// The step after the import is the one that the peer's rule makes.
  private func checkNextStep(
    _ optimizer: LowBitOptimizer, _ expected: Safetensors, accuracy: Float = 1e-6, line: UInt = #line
  ) {
    for key in keys where expected.contains("\(key).next_parameter") {
      var parameter = expected.floats("\(key).parameter")
      optimizer.update(ParameterKey(key), &parameter, along: expected.floats("\(key).gradient"))
      for (index, (value, next)) in zip(parameter, expected.floats("\(key).next_parameter")).enumerated() {
        XCTAssertEqual(value, next, accuracy: accuracy * max(next.magnitude, 0.01), "\(key) \(index)", line: line)
      }
    }
  }

  func testBitsandbytesInBothKeyLayouts() throws {
    let expected = try Safetensors(golden("bnb_adamw8bit_expected"))
    for layout in ["flat", "nested"] {
      let file = golden("bnb_adamw8bit_\(layout)")
      let optimizer = AdamW8bit(learningRate: 1e-3, weightDecay: 0.01)
      try optimizer.importState(from: file, expecting: ["embed.weight": 6144, "fc.weight": 5120, "fc.bias": 80])
      let peer = try Safetensors(file)
      for key in keys {
        XCTAssertEqual(optimizer.stepCount(of: ParameterKey(key)), 5)
        let moments = try XCTUnwrap(optimizer.moments(of: ParameterKey(key)))
        XCTAssertEqual(moments.first, expected.floats("\(key).first_moment"))
        XCTAssertEqual(moments.second, expected.floats("\(key).second_moment"))
        guard key != "fc.bias" else { continue }
        let prefix = layout == "flat" ? key : "\(key).\(ForeignName.nesting)"
        XCTAssertEqual(
          optimizer.quantizedMoments(of: ParameterKey(key))?.first?.codes, peer.bytes("\(prefix).state1"))
      }
      checkNextStep(optimizer, expected)
    }
  }

  func testBitsandbytesBlocksOf2048StayTheBlocks() throws {
    let folder = try TemporaryFolder()
    let expected = try Safetensors(golden("bnb_adamw8bit_block2048_expected"))
    let optimizer = AdamW8bit(learningRate: 1e-3, weightDecay: 0.01)
    try optimizer.importState(from: golden("bnb_adamw8bit_block2048"))
    for key in ["embed.weight", "fc.weight"] {
      XCTAssertEqual(optimizer.blockSize(of: ParameterKey(key)), 2048)
      let moments = try XCTUnwrap(optimizer.moments(of: ParameterKey(key)))
      XCTAssertEqual(moments.first, expected.floats("\(key).first_moment"))
      XCTAssertEqual(moments.second, expected.floats("\(key).second_moment"))
    }
    // From here on it is the run of an optimizer that has had blocks of 2048 from the start.
    let twin = AdamW8bit(learningRate: 1e-3, weightDecay: 0.01, blockSize: 2048)
    try twin.importState(from: golden("bnb_adamw8bit_block2048"))
    var (a, b) = ([Float](repeating: 1, count: 6144), [Float](repeating: 1, count: 6144))
    for step in 1...3 {
      var generator = SeededGenerator(quietly: UInt64(step))
      let gradient = a.indices.map { _ in generator.normal() }
      optimizer.update("embed.weight", &a, along: gradient)
      twin.update("embed.weight", &b, along: gradient)
    }
    XCTAssertEqual(a, b)
    XCTAssertEqual(OptimizerSnapshot(optimizer).regions, OptimizerSnapshot(twin).regions)
    // Our own checkpoint of it goes on in the same blocks.
    try optimizer.save(to: folder.file("state"))
    let restored = AdamW8bit()
    try restored.restore(from: folder.file("state"))
    XCTAssertEqual(OptimizerSnapshot(restored), OptimizerSnapshot(optimizer))
  }

  func testPyTorch() throws {
    for (name, optimizer) in [
      ("adam", Adam32(learningRate: 1e-3)), ("adamw", AdamW32(learningRate: 1e-3, weightDecay: 0.01)),
      ("sgd", Momentum32(learningRate: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.01)),
    ] as [(String, LowBitOptimizer)] {
      try optimizer.importState(from: golden("torch_\(name)"))
      let peer = try Safetensors(golden("torch_\(name)"))
      for key in keys {
        let moments = try XCTUnwrap(optimizer.moments(of: ParameterKey(key)))
        XCTAssertEqual(moments.first, peer.floats("\(key).\(name == "sgd" ? "momentum_buffer" : "exp_avg")"))
        if name != "sgd" { XCTAssertEqual(moments.second, peer.floats("\(key).exp_avg_sq")) }
        XCTAssertEqual(optimizer.stepCount(of: ParameterKey(key)), name == "sgd" ? 1 : 5)
      }
      checkNextStep(optimizer, try Safetensors(golden("torch_\(name)_expected")))
    }
  }

  func testAnotherPrecisionMustBeAskedFor() throws {
    for (file, optimizer) in [
      ("torch_adamw", AdamW8bit()), ("bnb_adamw8bit_flat", AdamW32()), ("torch_sgd", Momentum8bit()),
    ] as [(String, LowBitOptimizer)] {
      let before = OptimizerSnapshot(optimizer)
      XCTAssertThrowsError(try optimizer.importState(from: golden(file))) {
        XCTAssertEqual(($0 as! CheckpointError).kind, .mismatch)
      }
      XCTAssertEqual(OptimizerSnapshot(optimizer), before)
      try optimizer.importState(from: golden(file), converting: true)
      XCTAssertEqual(optimizer.report().entries.map(\.key), ["embed.weight", "fc.bias", "fc.weight"])
      let is32Bit = optimizer is AdamW32
      for entry in optimizer.report().entries where entry.count > 4096 {
        XCTAssertEqual(entry.formats[0] == "float32", is32Bit)
      }
    }
    // An embedding that the peer kept in 32 bits: the size rule can say so.
    let optimizer = AdamW8bit()
    for key in keys { optimizer.sizeRule.keep32Bit(ParameterKey(key)) }
    try optimizer.importState(from: golden("torch_adamw"))
    XCTAssertEqual(optimizer.report().entries[0].reason, .keptByRequest)
  }

  /// Into fewer bits, with the shape of the file's tensors.
  func testConvertingIntoFewBits() throws {
    for (file, optimizers) in [
      ("torch_adamw", [AdamW4bit(), AdamW3bit(), AdamW2bit()]),
      ("bnb_adamw8bit_nested", [AdamW4bit(), AdamW3bit(), AdamW2bit()]),
      ("bnb_adamw8bit_block2048", [AdamW4bit(), AdamWMixed(firstMoment: .dynamic4, secondMoment: .logarithmic2)]),
      ("torch_sgd", [Momentum4bit(), Momentum3bit(), Momentum2bit()]),
    ] as [(String, [LowBitOptimizer])] {
      let exact: LowBitOptimizer = file.contains("sgd") ? Momentum32() : AdamW32()
      try exact.importState(from: golden(file), converting: true)
      for optimizer in optimizers {
        let before = OptimizerSnapshot(optimizer)
        XCTAssertThrowsError(try optimizer.importState(from: golden(file))) {
          XCTAssertEqual(($0 as! CheckpointError).kind, .mismatch)
        }
        XCTAssertEqual(OptimizerSnapshot(optimizer), before)
        try optimizer.importState(from: golden(file), converting: true)
        for (key, shape) in [("embed.weight", [64, 96]), ("fc.weight", [80, 64])] as [(ParameterKey, [Int])] {
          let state = try XCTUnwrap(optimizer.states[key])
          XCTAssertEqual(state.shape, shape)
          XCTAssertEqual(state.formats, optimizer.formats.fitting(shape))
          let values = try XCTUnwrap(exact.moments(of: key))
          // The block's largest stays the block's largest, whatever the map.
          let scale = try XCTUnwrap(optimizer.quantizedMoments(of: key)?.first?.scales[0])
          XCTAssertEqual(scale, values.first[..<state.formats.blockSize].map(\.magnitude).max())
          var parameter = [Float](repeating: 1, count: state.count)
          optimizer.update(key, &parameter, along: parameter, shape: shape)
          XCTAssertTrue(parameter.allSatisfy(\.isFinite))
        }
        XCTAssertEqual(optimizer.moments(of: "fc.bias"), exact.moments(of: "fc.bias"))
        XCTAssertFalse("\(optimizer.report())".contains("no scales per row and column"))
      }
    }
  }

  func testWhatIsExportedIsThePeersFile() throws {
    let folder = try TemporaryFolder()
    let file = folder.file("export")
    for (name, layout, optimizer) in [
      ("bnb_adamw8bit_nested", .bitsandbytes, AdamW8bit()), ("bnb_adamw8bit_flat", .bitsandbytesFlat, AdamW8bit()),
      ("bnb_adamw8bit_block2048", .bitsandbytesBlock2048, AdamW8bit(blockSize: 2048)),
      ("torch_adam", .pyTorch, Adam32()),
      ("torch_adamw", .pyTorch, AdamW32()), ("torch_sgd", .pyTorch, Momentum32()),
    ] as [(String, ForeignLayout, LowBitOptimizer)] {
      try optimizer.importState(from: golden(name))
      try optimizer.exportState(to: file, as: layout)
      let (peer, ours) = (try Safetensors(golden(name)), try Safetensors(file))
      XCTAssertEqual(ours.names, peer.names)
      for name in peer.names {
        XCTAssertEqual(ours.data(name), peer.data(name), name)
        XCTAssertEqual(ours.shape(name).reduce(1, *), peer.shape(name).reduce(1, *))
      }
      let again = type(of: optimizer) == AdamW8bit.self ? AdamW8bit() : optimizer
      try again.importState(from: file)
      XCTAssertEqual(OptimizerSnapshot(again).regions, OptimizerSnapshot(optimizer).regions)
    }
  }

  func testWhatALayoutCannotExpressIsAnError() throws {
    let folder = try TemporaryFolder()
    for (optimizer, layout) in [
      (Adam8bit(), .pyTorch), (Adam8bit(blockSize: 512), .bitsandbytes), (Adam8bit(), .bitsandbytesBlock2048),
      (Adam4bit(), .pyTorch), (Adam4bit(blockSize: 256), .bitsandbytes), (AdamW2bit(blockSize: 256), .bitsandbytes),
      (Momentum3bit(blockSize: 256), .bitsandbytesFlat),
      (AdamMixed(firstMoment: .dynamic8, secondMoment: .logarithmic4, blockSize: 256), .bitsandbytes),
      (AdamMixed(firstMoment: .float32, secondMoment: .dynamic8), .pyTorch),
    ] as [(LowBitOptimizer, ForeignLayout)] {
      optimizer.sizeRule.minimumCount = 0
      var parameter: [Float] = [1, 2]
      optimizer.update("p", &parameter, along: [1, 1])
      XCTAssertThrowsError(try optimizer.exportState(to: folder.file("export"), as: layout)) {
        XCTAssertEqual(($0 as! CheckpointError).kind, .unsupported)
      }
    }
    let adam = Adam32()
    var parameter: [Float] = [1]
    adam.update("p", &parameter, along: [1])
    adam.states["p"]!.step = 1 << 24 + 1
    XCTAssertThrowsError(try adam.exportState(to: folder.file("export"), as: .pyTorch))
    XCTAssertEqual(folder.names, [])
  }

  private func edited(_ name: String, _ edit: (inout [SafetensorsTensor]) -> Void) throws -> [UInt8] {
    let file = Array(try Data(contentsOf: golden(name)))
    return try file.withUnsafeBytes { bytes in
      let header = try SafetensorsReader(MemorySource(bytes: bytes)).header
      let start = bytes.count - header.tensors.last!.range.upperBound
      var tensors = header.tensors.map {
        SafetensorsTensor(
          $0.name, $0.type, shape: $0.shape,
          bytes: .init(rebasing: bytes[start + $0.range.lowerBound..<start + $0.range.upperBound]))
      }
      edit(&tensors)
      return SafetensorsWriter.header(of: tensors, [:]) + tensors.flatMap { Array($0.bytes) }
    }
  }

  /// What bitsandbytes itself takes in without a word.
  func testDamagedFilesAreRefused() throws {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 8192, alignment: 8)
    defer { memory.deallocate() }
    func piece<Value>(_ values: [Value]) -> UnsafeRawBufferPointer {
      values.withUnsafeBytes { memory.copyMemory(from: $0) }
      return UnsafeRawBufferPointer(rebasing: memory[..<(values.count * MemoryLayout<Value>.stride)])
    }
    func replace<Value>(_ name: String, _ values: [Value]) -> (inout [SafetensorsTensor]) -> Void {
      return { tensors in
        let index = tensors.firstIndex { $0.name == name }!
        tensors[index].bytes = piece(values)
        tensors[index].shape = tensors[index].shape.isEmpty ? [] : [values.count]
      }
    }
    var map = Codebook.dynamic8.values
    map[0] = -1
    let scales = [Float](repeating: 1, count: 24)
    let edits: [(CheckpointError.Kind, String, (inout [SafetensorsTensor]) -> Void)] = [
      (.unsupported, "a table of four entries", replace("embed.weight.qmap1", [Float](repeating: 0.5, count: 4))),
      (.unsupported, "another table", replace("embed.weight.qmap1", map)),
      (.unsupported, "a table of NaN", replace("embed.weight.qmap2", [Float](repeating: .nan, count: 256))),
      (.invalidValue, "a scale NaN", replace("embed.weight.absmax1", [.nan] + scales[1...])),
      (.invalidValue, "a negative scale", replace("embed.weight.absmax2", scales[1...] + [-1])),
      (.invalidValue, "an infinite scale", replace("embed.weight.absmax2", scales[1...] + [.infinity])),
      (
        .unsupported, "scales of no block size",
        { tensors in
          replace("embed.weight.absmax1", Array(scales[1...]))(&tensors)
          let index = tensors.firstIndex { $0.name == "embed.weight.absmax2" }!
          tensors[index].bytes = .init(rebasing: tensors[index].bytes[..<92])
          tensors[index].shape = [23]
        }
      ),
      (.malformed, "scales of two block sizes", replace("embed.weight.absmax2", Array(scales[..<3]))),
      (.invalidValue, "step −5", replace("embed.weight.step", [Int64(-5)])),
      (.invalidValue, "step 2^53 + 1", replace("embed.weight.step", [Int64(1) << 53 + 1])),
      (.malformed, "no step", { $0.removeAll { $0.name == "fc.bias.step" } }),
      (.malformed, "no table", { $0.removeAll { $0.name == "fc.weight.qmap2" } }),
      (.malformed, "no second moment", { $0.removeAll { $0.name == "fc.bias.state2" } }),
      (
        .unsupported, "an unknown part",
        {
          $0.append($0[0])
          $0[$0.count - 1].name = "fc.bias.max_exp_avg_sq"
        }
      ),
      (
        .malformed, "both layouts",
        { tensors in
          let index = tensors.firstIndex { $0.name == "fc.bias.state1" }!
          tensors.append(tensors[index])
          tensors[tensors.count - 1].name = "fc.bias.\(ForeignName.nesting).state1"
        }
      ),
      (.invalidValue, "a negative second moment", replace("fc.bias.state2", [Float](repeating: -1, count: 80))),
      (.malformed, "moments of two lengths", replace("fc.bias.state2", [Float](repeating: 1, count: 79))),
    ]
    let optimizer = AdamW8bit()
    try optimizer.importState(from: golden("bnb_adamw8bit_flat"))
    let before = OptimizerSnapshot(optimizer)
    for (kind, what, edit) in edits {
      let file = try edited("bnb_adamw8bit_flat", edit)
      XCTAssertThrowsError(
        try file.withUnsafeBytes { try optimizer.importState(reading: MemorySource(bytes: $0)) }, what
      ) { XCTAssertEqual(($0 as! CheckpointError).kind, kind, "\(what): \($0)") }
      XCTAssertEqual(OptimizerSnapshot(optimizer), before, what)
    }
    XCTAssertThrowsError(try Momentum8bit().importState(from: golden("bnb_adamw8bit_flat")))
    XCTAssertThrowsError(
      try optimizer.importState(from: golden("bnb_adamw8bit_flat"), expecting: ["embed.weight": 6144]))
    XCTAssertEqual(OptimizerSnapshot(optimizer), before)
  }
}
