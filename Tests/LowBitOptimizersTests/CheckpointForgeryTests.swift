import BlockQuantization
import Foundation
import TestSupport
import XCTest

@testable import LowBitOptimizers

/// Files that are well-formed but lie about what they hold, and files that are unusual but sound.
final class CheckpointForgeryTests: XCTestCase {
  /// Trained by its values, so that "a" and "b" differ in all but their sizes.
  private func trained(_ optimizer: LowBitOptimizer, count: Int = 150) -> LowBitOptimizer {
    optimizer.sizeRule.minimumCount = 20
    for (name, shift) in [("a", 20), ("b", 90)] {
      var parameter = [Float](repeating: 1, count: count)
      optimizer.update(ParameterKey(name), &parameter, along: (0..<count).map { Float($0 - shift) })
    }
    return optimizer
  }

  /// No size tells two tensors of one shape apart; the checksums do.
  func testExchangedNamesAreNoticed() throws {
    let split = SplitFile(try checkpoint(of: trained(Adam8bit(blockSize: 64))))
    for part in ["state1", "absmax1", "state2", "absmax2"] {
      var forged = split
      forged.header = forged.header.replacingOccurrences(of: "\"a.\(part)\"", with: "\"?\"")
        .replacingOccurrences(of: "\"b.\(part)\"", with: "\"a.\(part)\"")
        .replacingOccurrences(of: "\"?\"", with: "\"b.\(part)\"")
      assertRefused(safetensors(forged.header, forged.data), by: Adam8bit(), .invalidValue, "parameter/")
    }
    // All of one parameter under the other's name, and the other way round: the metadata's own checksum.
    let swapped = split.header.replacingOccurrences(of: "\"parameter/a\"", with: "\"?\"")
      .replacingOccurrences(of: "\"parameter/b\"", with: "\"parameter/a\"")
      .replacingOccurrences(of: "\"?\"", with: "\"parameter/b\"")
    assertRefused(safetensors(swapped, split.data), by: Adam8bit(), .invalidValue, "metadata")
  }

  /// Tables are named, never loaded: a file cannot bring a short one.
  func testATableInTheFileIsRefused() throws {
    let split = SplitFile(try CheckpointFuzzTests.unsealed(checkpoint(of: trained(Adam8bit()))))
    for name in ["a.qmap1", "a.map1", "codebook", "dynamic8"] {
      assertRefused(split.adding(name), by: Adam8bit(), .unsupported, name)
    }
  }

  func testNamesTwiceLeaveNoHoleWhereTensorsAreEmpty() throws {
    let split = SplitFile(try CheckpointFuzzTests.unsealed(checkpoint(of: trained(Adam8bit(), count: 0))))
    for name in ["a.state1", #"\u0061.state1"#] {
      assertRefused(split.adding(name), by: Adam8bit(), .malformed, "header byte")
    }
  }

  func testDepthCostsNoStack() {
    for bracket in ["[", "{\"a\":"] {
      let deep = String(repeating: bracket, count: 1_000_000)
      for header in ["{\"a\":\(deep)", "{\"__metadata__\":\(deep)", "{\"a\":{\"shape\":\(deep)"] {
        assertRefused(safetensors(header), by: Adam8bit(), .malformed, "header byte")
      }
    }
  }

  /// Codes of four bits: the bits after the last are zero, and no block ends within a byte.
  func testFourBitFiles() throws {
    let formats = StateFormats(
      first: .blocks(BlockQuantizer(.dynamic4, blockSize: 64)),
      second: .blocks(BlockQuantizer(.linear4Unsigned, blockSize: 64)), blockSize: 64)
    func optimizer() -> LowBitOptimizer { LowBitOptimizer(learningRate: 1e-3, rule: Adam32().rule, formats: formats) }
    let saved = trained(optimizer(), count: 151)
    let sealed = try checkpoint(of: saved)
    let restored = optimizer()
    try restored.restore(bytes: sealed)
    XCTAssertEqual(OptimizerSnapshot(restored), OptimizerSnapshot(saved))

    let sound = try CheckpointFuzzTests.unsealed(sealed)
    let reader = try sound.withUnsafeBytes { try SafetensorsReader(MemorySource(bytes: $0)) }
    let split = SplitFile(sound)
    for name in ["a.state1", "b.state2"] {
      let tensor = try XCTUnwrap(reader.tensor(name))
      XCTAssertEqual(tensor.count, 76)
      for bit in 4..<8 {
        var data = split.data
        data[tensor.range.upperBound - 1] |= 1 << UInt8(bit)
        assertRefused(safetensors(split.header, data), by: restored, .invalidValue, "\(name)[75]")
      }
    }
    assertRefused(split.edited("block=64", "block=65"), by: restored, .unsupported, "")
    assertRefused(split.edited("first=dynamic4", "first=dynamic8"), by: restored, .mismatch, "")
    assertRefused(sealed, by: trained(Adam8bit(), count: 151), .mismatch, "formats")
  }

  /// Other writers do not pad the header: the data then begins anywhere, and is no floats in place.
  func testDataAtAnyAlignment() throws {
    let saved = trained(Adam8bit(blockSize: 64))
    let split = SplitFile(try checkpoint(of: saved))
    for spaces in 0..<8 {
      let restored = Adam8bit()
      try restored.restore(bytes: safetensors(split.header + String(repeating: " ", count: spaces), split.data))
      XCTAssertEqual(OptimizerSnapshot(restored), OptimizerSnapshot(saved))
    }
  }

  /// A new file in its place, or none, does not reach a reader that has begun.
  func testAFileThatIsReplacedWhileItIsRead() throws {
    let folder = try TemporaryFolder()
    let saved = trained(Adam8bit())
    try saved.save(to: folder.file("state"))
    let sources = try (0..<2).map { _ in try FileSource(folder.file("state").path) }
    try trained(Adam8bit(), count: 2000).save(to: folder.file("state"))
    try FileManager.default.removeItem(at: folder.file("state"))
    for source in sources {
      let restored = Adam8bit()
      try restored.restore(reading: source)
      XCTAssertEqual(OptimizerSnapshot(restored), OptimizerSnapshot(saved))
    }
  }

  /// Touching a mapped page that is gone would end the program.
  func testAFileThatShrinksWhileItIsRead() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("shrinking").path
    var generator = SeededGenerator()
    let whole = Data((0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 / 7 + 1) })
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: whole.count, alignment: 8)
    defer { buffer.deallocate() }
    for _ in 0..<300 {
      try whole.write(to: URL(fileURLWithPath: path))
      let source = try FileSource(path)
      let length = off_t.random(in: 0..<off_t(whole.count), using: &generator)
      let delay = UInt32.random(in: 0..<400, using: &generator)
      let isCut = DispatchSemaphore(value: 0)
      Thread.detachNewThread {
        usleep(delay)
        truncate(path, length)
        isCut.signal()
      }
      let problem = Self.problem(reading: source, into: buffer)
      XCTAssertTrue(problem == .fileAccess || (problem == nil && buffer.elementsEqual(whole)))
      isCut.wait()
    }
  }

  private static func problem(
    reading source: FileSource, into buffer: UnsafeMutableRawBufferPointer
  ) -> CheckpointError.Kind? {
    do {
      try source.read(buffer, at: 0)
      return nil
    } catch {
      return error.kind
    }
  }
}
