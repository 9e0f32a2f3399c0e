import CheckpointWorker
import Foundation
import XCTest

@testable import LowBitOptimizers

/// Everything of an optimizer that a checkpoint holds, byte for byte.
struct OptimizerSnapshot: Equatable {
  var metadata: [String: String]
  var regions: [String: [UInt8]]

  init(_ optimizer: LowBitOptimizer) {
    let states = optimizer.states.values.sorted { $0.key < $1.key }
    metadata = CheckpointManifest(of: optimizer, entries: states.map { CheckpointManifest.Entry(of: $0) }).metadata
    regions = [:]
    for state in states {
      for region in state.regions { regions[region.tensorName(state.key)] = Array(region.memory) }
    }
  }
}

extension OptimizerSnapshot: CustomStringConvertible {
  /// The metadata, which holds a checksum of itself, and one of each region: short enough for a failing test to print.
  var description: String {
    "\(metadata.sorted { $0.key < $1.key }), \(regions.sorted { $0.key < $1.key }.map { ($0.key, oracleCRC($0.value)) })"
  }
}

/// A folder that is gone after the test.
final class TemporaryFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("checkpoint-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func file(_ name: String) -> URL { url.appendingPathComponent(name) }

  var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: url.path).sorted()) ?? [] }
}

/// A safetensors file of any header and data.
func safetensors(_ header: [UInt8], _ data: [UInt8] = [], length: UInt64? = nil) -> [UInt8] {
  let length = length ?? UInt64(header.count)
  return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + header + data
}

func safetensors(_ header: String, _ data: [UInt8] = [], length: UInt64? = nil) -> [UInt8] {
  safetensors(Array(header.utf8), data, length: length)
}

/// A safetensors file in its two parts, to change one of them.
struct SplitFile {
  var header: String
  var data: [UInt8]

  init(_ file: [UInt8]) {
    let length = file[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    header = String(decoding: file[8..<8 + length], as: UTF8.self)
    data = Array(file[(8 + length)...])
  }

  /// The file with one thing in its header changed.
  func edited(_ old: String, _ new: String, line: UInt = #line) -> [UInt8] {
    guard let range = header.range(of: old) else {
      XCTFail("nothing to edit: \(old)", line: line)
      return []
    }
    return safetensors(header.replacingCharacters(in: range, with: new), data)
  }

  /// The file with one more tensor, empty and the last.
  func adding(_ name: String) -> [UInt8] {
    let extra = #","\#(name)":{"dtype":"U8","shape":[0],"data_offsets":[\#(data.count),\#(data.count)]}}"#
    let trimmed = String(header.reversed().drop { $0 == " " || $0 == "}" }.reversed()) + "}"
    return safetensors(trimmed + extra, data)
  }

  func withFloat(_ value: Float, at start: Int) -> [UInt8] {
    var data = data
    withUnsafeBytes(of: value.bitPattern.littleEndian) { data.replaceSubrange(start..<start + 4, with: $0) }
    return safetensors(header, data)
  }
}

extension LowBitOptimizer {
  func restore(
    bytes: [UInt8], converting: Bool = false, expecting parameters: [ParameterKey: Int]? = nil
  ) throws(CheckpointError) {
    try bytes.withUnsafeBytes { bytes -> Result<Void, CheckpointError> in
      do throws(CheckpointError) {
        try restore(reading: MemorySource(bytes: bytes), converting: converting, expecting: parameters)
        return .success(())
      } catch {
        return .failure(error)
      }
    }.get()
  }
}

/// The bytes that an optimizer saves.
func checkpoint(of optimizer: LowBitOptimizer) throws -> [UInt8] {
  let folder = try TemporaryFolder()
  try optimizer.save(to: folder.file("state"))
  return Array(try Data(contentsOf: folder.file("state")))
}

/// An error that says what is wrong and where, and an optimizer that is as it was.
func assertRefused(
  _ file: [UInt8], by optimizer: LowBitOptimizer, _ kind: CheckpointError.Kind, _ place: String, _ what: String = "",
  source: StaticString = #filePath, line: UInt = #line
) {
  let before = OptimizerSnapshot(optimizer)
  XCTAssertThrowsError(try optimizer.restore(bytes: file), "\(place) \(what)", file: source, line: line) {
    let error = $0 as! CheckpointError
    XCTAssertEqual(error.kind, kind, "\(what): \(error)", file: source, line: line)
    XCTAssertTrue(error.place.hasPrefix(place), "\(what): \(error)", file: source, line: line)
  }
  XCTAssertEqual(OptimizerSnapshot(optimizer), before, "\(place) \(what)", file: source, line: line)
}

/// The worker executable, which the build puts beside the test bundle.
func startWorker(_ arguments: String...) throws -> Process {
  let process = Process()
  process.executableURL = Bundle.module.bundleURL.deletingLastPathComponent().appendingPathComponent("CheckpointWorker")
  process.arguments = arguments
  try process.run()
  return process
}
