import CheckpointWorker
import Foundation
import TestSupport
import XCTest

@testable import LowBitOptimizers

/// Damaged checkpoints by the thousand: the reader and an oracle that was written apart from it must agree on each, and
/// a refused one must leave the optimizer as it was.
final class CheckpointFuzzTests: XCTestCase {
  private struct Subject {
    var name: String
    var optimizer: LowBitOptimizer
    var oracle: CheckpointOracle
    var file: [UInt8]
    /// The same without checksums, so that damage reaches the rules behind them.
    var unsealedFile: [UInt8]
    /// The optimizer's own state, which differs from the files' in everything, so that a part that was taken over shows.
    var ownState: [UInt8]

    init(_ subject: OptimizerSubject, blockSize: Int, in folder: TemporaryFolder) throws {
      name = subject.name
      optimizer = subject.make(blockSize: blockSize)
      oracle = CheckpointOracle(rule: subject.rule, formats: subject.formats)
      SmallModel.prepare(optimizer)
      SmallModel.update(optimizer) { Float($0) - 20 }
      try optimizer.save(to: folder.file("state"))
      file = Array(try Data(contentsOf: folder.file("state")))
      unsealedFile = try CheckpointFuzzTests.unsealed(file)
      optimizer.learningRate = 0.25
      optimizer.sizeRule.minimumCount = 21
      SmallModel.update(optimizer) { Float($0 % 7) - 1 }
      try optimizer.save(to: folder.file("state"))
      ownState = Array(try Data(contentsOf: folder.file("state")))
    }
  }

  static func unsealed(_ file: [UInt8]) throws -> [UInt8] {
    try file.withUnsafeBytes { bytes in
      let header = try SafetensorsReader(MemorySource(bytes: bytes)).header
      var metadata = header.metadata.mapValues { $0.components(separatedBy: " checksum=")[0] }
      for name in metadata.keys where name.hasPrefix("checksum") { metadata[name] = nil }
      let dataStart = bytes.count - (header.tensors.last?.range.upperBound ?? 0)
      let tensors = header.tensors.map {
        let range = dataStart + $0.range.lowerBound..<dataStart + $0.range.upperBound
        return SafetensorsTensor($0.name, $0.type, shape: $0.shape, bytes: .init(rebasing: bytes[range]))
      }
      let data = Array(bytes[dataStart...])
      return SafetensorsWriter.header(of: tensors, metadata) + data
    }
  }

  private func subjects(_ folder: TemporaryFolder) throws -> [Subject] {
    try OptimizerSubject.all.enumerated().map { index, subject in
      try Subject(subject, blockSize: index % 2 == 0 ? 64 : 104, in: folder)
    }
  }

  func testTheReaderAndTheOracleAgree() throws {
    let folder = try TemporaryFolder()
    var generator = SeededGenerator()
    let subjects = try subjects(folder)
    let count = isExhaustive ? 1_000_000 : 10_000
    var accepted = 0
    var refusals: [String: Int] = [:]
    for subject in subjects {
      let snapshot = OptimizerSnapshot(subject.optimizer)
      for round in 0..<count / subjects.count + 1 {
        let other = subjects[Int(generator.next() % UInt64(subjects.count))]
        var mutator = FileMutator(generator, donor: other.unsealedFile)
        let file = mutator.mutate(round % 3 == 0 ? subject.file : subject.unsealedFile)
        generator = mutator.generator
        let verdict = subject.oracle.content(of: file)
        do {
          try subject.optimizer.restore(bytes: file)
          let content = try verdict.get()
          accepted += 1
          let restored = OptimizerSnapshot(subject.optimizer)
          XCTAssertTrue(restored.regions == content.tensors, subject.name)
          XCTAssertEqual(subject.optimizer.learningRate, content.learningRate)
          for (key, step) in content.steps { XCTAssertEqual(subject.optimizer.stepCount(of: ParameterKey(key)), step) }
          try subject.optimizer.restore(bytes: subject.ownState)
        } catch let refusal as CheckpointOracle.Refusal {
          return XCTFail("\(subject.name) accepted, though the oracle says: \(refusal.reason); \(saved(file))")
        } catch {
          if case .success = verdict {
            return XCTFail("\(subject.name) refused, though sound: \(error); \(saved(file))")
          }
          guard case .failure(let refusal) = verdict else { continue }
          refusals[refusal.reason, default: 0] += 1
        }
        XCTAssertEqual(OptimizerSnapshot(subject.optimizer), snapshot)
      }
    }
    print("\(count) files: \(accepted) sound, refused: \(refusals.sorted { $0.value > $1.value })")
    XCTAssertGreaterThan(accepted, count / 100)
    XCTAssertGreaterThan(refusals.count, 25, "too few rules were met")
  }

  /// Where to find a file that the reader and the oracle do not agree on.
  private func saved(_ file: [UInt8]) -> String {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("disagreement.safetensors")
    try? Data(file).write(to: url)
    return "the file is in \(url.path)"
  }

  /// With its checksums, no single bit of a saved file can change unnoticed.
  func testEveryFlippedBitIsNoticed() throws {
    let folder = try TemporaryFolder()
    for subject in try subjects(folder) {
      let snapshot = OptimizerSnapshot(subject.optimizer)
      for index in subject.file.indices {
        for bit in 0..<8 where isExhaustive || (index + bit) % 8 == 0 {
          var file = subject.file
          file[index] ^= 1 << bit
          XCTAssertThrowsError(try subject.optimizer.restore(bytes: file), "byte \(index), bit \(bit)")
        }
      }
      for length in subject.file.indices where isExhaustive || length % 5 == 0 {
        XCTAssertThrowsError(try subject.optimizer.restore(bytes: Array(subject.file[..<length])), "\(length) bytes")
      }
      XCTAssertEqual(OptimizerSnapshot(subject.optimizer), snapshot)
    }
  }
}

/// Damages a safetensors file: bytes, numbers, names, structure, lengths, values.
struct FileMutator {
  var generator: SeededGenerator
  private let donor: [UInt8]

  init(_ generator: SeededGenerator, donor: [UInt8]) {
    self.generator = generator
    self.donor = donor
  }

  private mutating func below(_ limit: Int) -> Int { limit <= 0 ? 0 : Int(generator.next() % UInt64(limit)) }

  private mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

  mutating func mutate(_ file: [UInt8]) -> [UInt8] {
    let length = file[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    var header = Array(file[8..<8 + length])
    var data = Array(file[(8 + length)...])
    for _ in 0...below(3) {
      switch below(12) {
      case 0: flip(&header)
      case 1: flip(&data)
      case 2, 3: replaceNumber(&header)
      case 4: replaceWord(&header)
      case 5: insertToken(&header)
      case 6: removeRange(&header)
      case 7: replaceFloat(&data)
      case 8: changeLength(&data)
      case 9: header = splice(header)
      case 10: header += Array(String(repeating: " ", count: below(9)).utf8)
      default: swapStrings(&header)
      }
    }
    var mutated = safetensors(header, data)
    switch below(12) {
    case 0: mutated = safetensors(header, data, length: pick([0, 1, 7, .max, 1 << 63, 100_000_001, generator.next()]))
    case 1: mutated = Array(mutated[..<below(mutated.count)])
    default: break
    }
    return mutated
  }

  private mutating func flip(_ bytes: inout [UInt8]) {
    if !bytes.isEmpty { bytes[below(bytes.count)] ^= 1 << UInt8(below(8)) }
  }

  private func runs(_ bytes: [UInt8], _ isInside: (UInt8) -> Bool) -> [Range<Int>] {
    var runs: [Range<Int>] = []
    var start: Int?
    for (index, byte) in (bytes + [0]).enumerated() {
      if index < bytes.count && isInside(byte) {
        start = start ?? index
      } else if let first = start {
        runs.append(first..<index)
        start = nil
      }
    }
    return runs
  }

  private mutating func replaceNumber(_ header: inout [UInt8]) {
    let numbers = runs(header) { (0x30...0x39).contains($0) }
    guard !numbers.isEmpty else { return }
    let range = pick(numbers)
    let old = Int(String(decoding: header[range], as: UTF8.self)) ?? 0
    let texts = [
      "0", "1", "-1", "-0", "01", "1.0", "1e3", "\(old &+ 1)", "\(old &- 1)", "\(old / 2)", "9007199254740992",
      "9007199254740993", "281474976710656", "18446744073709551615", "+\(old)", "64", "256", "nan", "",
    ]
    header.replaceSubrange(range, with: Array(pick(texts).utf8))
  }

  private mutating func replaceWord(_ header: inout [UInt8]) {
    let words = runs(header) { (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) }
    guard !words.isEmpty else { return }
    let texts = [
      "F32", "U8", "I64", "F4", "BF16", "dynamic8", "dynamic8Unsigned", "float32", "adam", "adamw", "momentum", "true",
      "inf", "state1", "absmax2", "a", "b", "shape", "checksum", "zero", "step", "count", "base2", "rankOne", "m",
      "dynamic4", "normalFloat4", "dynamic3", "dynamic2", "linear4Unsigned", "logarithmic2", "logarithmic3",
      "logarithmic4", "17x19", "19x17", "logarithmic2-quantile0.10", "logarithmic3-quantile1e-05", "signedExtreme",
      "seed", "quantile0", "first_block", "factored", "rows2", "columns2",
    ]
    header.replaceSubrange(pick(words), with: Array(pick(texts).utf8))
  }

  private mutating func insertToken(_ header: inout [UInt8]) {
    let tokens: [[UInt8]] =
      [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u0061", "\\ud83e", "\\ud83e\\udde0", "\n", "\0", " ", "\"x\":1,",
        "\"x\":\"y\",", "\"a.state1\":", "[[[[[[[[[[", "e\u{301}", "1", "null", " shape=17x19", " first_block=2",
        "\"seed\":\"7\",", "\"seed\":\"0\",", "x1", "x0", "-rankOne", "-signedExtreme", "-quantile0.5", "-quantile-0.0",
      ].map { Array($0.utf8) } + [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xef, 0xbb, 0xbf], [0xe2, 0x82]]
    header.insert(contentsOf: pick(tokens), at: below(header.count + 1))
  }

  private mutating func removeRange(_ bytes: inout [UInt8]) {
    let start = below(bytes.count)
    bytes.removeSubrange(start..<min(bytes.count, start + 1 + below(below(4) == 0 ? 80 : 3)))
  }

  private mutating func replaceFloat(_ data: inout [UInt8]) {
    guard data.count >= 4 else { return }
    let value: Float = pick([.nan, .infinity, -.infinity, -1, -0.0, 0, 1, .leastNonzeroMagnitude, 3e38])
    let start = below(data.count / 4) * 4
    for byte in 0..<4 { data[start + byte] = UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(8 * byte)) }
  }

  private mutating func changeLength(_ data: inout [UInt8]) {
    if below(2) == 0 {
      data += [UInt8](repeating: 0, count: 1 + below(9))
    } else {
      data.removeLast(min(data.count, 1 + below(9)))
    }
  }

  /// The beginning of one header and the end of another.
  private mutating func splice(_ header: [UInt8]) -> [UInt8] {
    let length = donor[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    let other = Array(donor[8..<8 + length])
    return Array(header[..<below(header.count)]) + Array(other[below(other.count)...])
  }

  /// Two texts between quotes change places: names, types, values.
  private mutating func swapStrings(_ header: inout [UInt8]) {
    let texts = runs(header) { $0 != 0x22 }
    guard texts.count > 1 else { return }
    let (first, second) = (pick(texts), pick(texts))
    guard first.upperBound <= second.lowerBound else { return }
    let (a, b) = (Array(header[first]), Array(header[second]))
    header.replaceSubrange(second, with: a)
    header.replaceSubrange(first, with: b)
  }
}
