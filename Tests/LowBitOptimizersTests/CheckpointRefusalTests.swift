import Foundation
import TestSupport
import XCTest

@testable import LowBitOptimizers

/// For every rule that a checkpoint must keep, a file that breaks it. Each is refused with an error that says what is
/// wrong and where, and leaves the optimizer as it was.
final class CheckpointRefusalTests: XCTestCase {
  private let optimizer = Adam8bit(blockSize: 64)
  private var sound: [UInt8] = []
  private var split = SplitFile([UInt8](repeating: 0, count: 8))

  override func setUpWithError() throws {
    let folder = try TemporaryFolder()
    optimizer.reset()
    optimizer.sizeRule.minimumCount = 20
    for (name, count) in [("a", 150), ("b", 4)] {
      var parameter = [Float](repeating: 1, count: count)
      optimizer.update(ParameterKey(name), &parameter, along: (0..<count).map { Float($0) - 20 })
    }
    try optimizer.save(to: folder.file("state"))
    sound = try CheckpointFuzzTests.unsealed(Array(try Data(contentsOf: folder.file("state"))))
    split = SplitFile(sound)
    try optimizer.restore(bytes: sound)
    // The state differs from the file's in everything, so that a part that was taken over shows.
    optimizer.learningRate = 0.25
    optimizer.sizeRule.minimumCount = 21
    for (name, count) in [("a", 150), ("b", 4)] {
      var parameter = [Float](repeating: 1, count: count)
      optimizer.update(ParameterKey(name), &parameter, along: parameter)
    }
  }

  private func assertRefused(
    _ file: [UInt8], _ kind: CheckpointError.Kind, _ place: String, _ what: String, converting: Bool = false,
    expecting: [ParameterKey: Int]? = nil, line: UInt = #line
  ) {
    let before = OptimizerSnapshot(optimizer)
    XCTAssertThrowsError(
      try optimizer.restore(bytes: file, converting: converting, expecting: expecting), what, line: line
    ) {
      let error = $0 as! CheckpointError
      XCTAssertEqual(error.kind, kind, "\(what): \(error)", line: line)
      XCTAssertTrue(error.place.hasPrefix(place), "\(what): \(error)", line: line)
      XCTAssertEqual(error.path, "memory", line: line)
      XCTAssertFalse(error.problem.isEmpty, line: line)
    }
    XCTAssertEqual(OptimizerSnapshot(optimizer), before, what, line: line)
  }

  private func edited(_ old: String, _ new: String, line: UInt = #line) -> [UInt8] {
    split.edited(old, new, line: line)
  }

  /// A file of one tensor, or of nothing but JSON.
  private func tensor(_ type: String = "U8", _ shape: String = "[4]", _ offsets: String = "[0,4]") -> [UInt8] {
    safetensors(#"{"t":{"dtype":"\#(type)","shape":\#(shape),"data_offsets":\#(offsets)}}"#, [1, 2, 3, 4])
  }

  func testLength() throws {
    for count in 0..<8 { assertRefused([UInt8](repeating: 0, count: count), .malformed, "file", "\(count) bytes") }
    for length in [1000, .max, 1 << 63, 100_000_001] as [UInt64] {
      assertRefused(safetensors("{}", length: length), .malformed, "byte 0", "length \(length)")
    }
    assertRefused(safetensors(""), .malformed, "header byte 0", "no header")
    #if os(Linux)
    // A sparse file that is long enough for its header of 100,000,001 bytes.
    let folder = try TemporaryFolder()
    try Data(safetensors("{}", length: 100_000_001)).write(to: folder.file("state"))
    truncate(folder.file("state").path, 1 << 30)
    XCTAssertThrowsError(try optimizer.restore(from: folder.file("state"))) {
      XCTAssertEqual(($0 as! CheckpointError).place, "byte 0")
    }
    #endif
  }

  func testText() {
    let bad: [(String, [UInt8])] = [
      ("a lone continuation", [0x80]), ("an overlong NUL", [0xc0, 0x80]), ("a surrogate", [0xed, 0xa0, 0x80]),
      ("beyond Unicode", [0xf4, 0x90, 0x80, 0x80]), ("cut short", [0xe2, 0x82]),
    ]
    for (what, bytes) in bad {
      let header = Array("{\"".utf8) + bytes + Array("\":{}}".utf8)
      assertRefused(safetensors(header), .malformed, "header byte 2", what)
    }
  }

  func testJSON() {
    let long = String(repeating: "k", count: 65_537)
    for (header, what) in [
      ("[]", "no object"), (" {}", "a space first"), ("\u{feff}{}", "a byte order mark"), ("{", "no end"),
      ("{}{}", "two objects"), ("{}\0\0", "padded with NUL"), ("{} x", "something after the end"),
      (#"{"a":1}"#, "a tensor that is a number"), (#"{"a":[[[[[[[["#, "deep"), (#"{"a":{}}"#, "an empty tensor"),
      (#"{"__metadata__":{"a":"b"},"__metadata__":{}}"#, "metadata twice"),
      (#"{"__metadata__":{"a":"b","a":"b"}}"#, "a key twice"),
      (#"{"__metadata__":{"a":"b","\u0061":"b"}}"#, "a key twice after unescaping"),
      (#"{"__metadata__":{"é":"b","e\#u{301}":"b"}}"#, "a key in two spellings"),
      (#"{"__metadata__":{"a":1}}"#, "a number in the metadata"), (#"{"__metadata__":{"a":{}}}"#, "an object in it"),
      (#"{"__metadata__":{"a":null}}"#, "null in it"), (#"{"__metadata__":[]}"#, "metadata in an array"),
      (#"{"__metadata__":{"a":"b",}}"#, "a comma too many"), (#"{"__metadata__":{'a':"b"}}"#, "other quotes"),
      (#"{"\x41":{}}"#, "an unknown escape"), (#"{"\ud83e":{}}"#, "half a pair"), (#"{"\udde0":{}}"#, "the other half"),
      (#"{"\u00g0":{}}"#, "no hexadecimal digits"), ("{\"a\nb\":{}}", "a control character"), (#"{"a"#, "no end quote"),
      (#"{"\#(long)":{}}"#, "a long name"), (#"{"__metadata__":{"a":"\#(long)"}}"#, "a long value"),
    ] {
      assertRefused(safetensors(header), .malformed, "header byte", what)
    }
  }

  func testNumbers() {
    for number in [
      "-1", "-0", "1.0", "1e3", "01", "+4", "0x4", "9007199254740993", "18446744073709551616", "", "4.", "NaN", "04",
      "4.0", "4e0",
    ] {
      assertRefused(tensor("U8", "[\(number)]"), .malformed, "header byte", "shape \(number)")
      assertRefused(tensor("U8", "[4]", "[0,\(number)]"), .malformed, "header byte", "offset \(number)")
    }
  }

  func testTensors() {
    for (file, what) in [
      (tensor("U9"), "an unknown dtype"), (tensor("u8"), "a dtype in small letters"), (tensor("U8", "4"), "no shape"),
      (tensor("U8", "[1,1,1,1,1,1,1,1,4]"), "nine dimensions"), (tensor("U8", "[281474976710656,0]"), "2^48"),
      (tensor("U8", "[281474976710655,281474976710655]"), "a product beyond 2^63"),
      (tensor("F64", "[9007199254740992,256]"), "bits beyond 2^63"), (tensor("U8", "[3]"), "too small a shape"),
      (tensor("U8", "[5]"), "too large a shape"), (tensor("F32", "[4]"), "a wider type"),
      (tensor("F4", "[7]"), "half a byte"), (tensor("U8", "[4]", "[0,4,4]"), "three offsets"),
      (tensor("U8", "[4]", "[0]"), "one offset"), (tensor("U8", "[4]", "[4,0]"), "an end before the beginning"),
      (safetensors(#"{"t":{"dtype":"U8","shape":[0]}}"#), "no offsets"),
      (safetensors(#"{"t":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#), "a field twice"),
      (safetensors(#"{"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":0}}"#), "an unknown field"),
    ] {
      assertRefused(file, .malformed, "header byte", what)
    }
  }

  func testTiling() {
    func pair(_ first: Range<Int>, _ second: Range<Int>, _ data: Int = 8) -> [UInt8] {
      let tensors = [first, second].enumerated().map {
        #""t\#($0)":{"dtype":"U8","shape":[\#($1.count)],"data_offsets":[\#($1.lowerBound),\#($1.upperBound)]}"#
      }
      return safetensors("{\(tensors.joined(separator: ","))}", [UInt8](repeating: 0, count: data))
    }
    assertRefused(pair(0..<5, 4..<8), .malformed, "t1", "an overlap")
    assertRefused(pair(0..<8, 0..<8), .malformed, "t", "one tensor as another")
    assertRefused(pair(0..<3, 4..<8), .malformed, "t1", "a hole")
    assertRefused(pair(1..<3, 3..<8), .malformed, "t0", "a hole at the beginning")
    assertRefused(pair(0..<4, 4..<8, 9), .malformed, "data", "a byte too many")
    assertRefused(pair(0..<4, 4..<8, 7), .malformed, "data", "a byte too few")
    assertRefused(pair(0..<4, 4..<1000, 8), .malformed, "data", "beyond the end")
    assertRefused(pair(0..<8, 5..<5), .malformed, "t1", "an empty tensor within another")
    for count in split.data.indices {
      assertRefused(safetensors(split.header, Array(split.data[..<count])), .malformed, "data", "\(count) bytes")
    }
  }

  /// All types that the format knows are no error by themselves; the state is what they do not fit.
  func testKnownTypesThatAreNotState() {
    for type in SafetensorsType.allCases {
      let bytes = 8 * type.bits / 8
      let file = safetensors(
        #"{"t":{"dtype":"\#(type.rawValue)","shape":[2,4],"data_offsets":[0,\#(bytes)]}}"#,
        [UInt8](repeating: 0, count: bytes))
      assertRefused(file, .unsupported, "metadata", type.rawValue)
    }
    for header in [
      "{}", #"{"__metadata__":{}}"#, "{}        ", #"{"t":{"shape":[],"dtype":"U8","data_offsets":[0,1]}}"#,
    ] {
      let data: [UInt8] = header.contains("t") && header.contains("U8") ? [0] : []
      assertRefused(safetensors(header, data), .unsupported, "metadata", header)
    }
  }

  func testMetadata() {
    let edits: [(String, String, CheckpointError.Kind, String)] = [
      ("LowBitOptimizers state", "LowBitOptimizers model", .unsupported, "metadata"),
      (#""format_version":"1""#, #""format_version":"2""#, .invalidValue, "metadata"),
      (#""rule":"adam""#, #""rule":"lion""#, .mismatch, "metadata"),
      (#""rule":"adam""#, #""rule":"adamw""#, .mismatch, "metadata"),
      (#","rule":"adam""#, "", .malformed, "metadata"),
      (#""rule":"adam""#, #""rule":"adam","seeds":"7""#, .unsupported, "metadata"),
      (#""rule":"adam""#, #""rule":"adam","hyperparameter/x":"7""#, .unsupported, "hyperparameter"),
      (#""rule":"adam""#, #""rule":"adam","checksum":"01234567""#, .invalidValue, "metadata"),
      (#""learning_rate":"0.001""#, #""learning_rate":"-0.001""#, .invalidValue, "metadata"),
      (#""learning_rate":"0.001""#, #""learning_rate":"nan""#, .invalidValue, "metadata"),
      (#""learning_rate":"0.001""#, #""learning_rate":"1e39""#, .invalidValue, "metadata"),
      (#""hyperparameter/beta1":"0.9""#, #""hyperparameter/beta1":"1.0""#, .invalidValue, "hyperparameter"),
      (#""hyperparameter/beta2":"0.999""#, #""hyperparameter/beta2":"0x1p-1""#, .invalidValue, "hyperparameter"),
      (#""hyperparameter/epsilon":"1e-08""#, #""hyperparameter/epsilon":"inf""#, .invalidValue, "hyperparameter"),
      (#""hyperparameter/epsilon":"1e-08""#, #""hyperparameter/epsilon":"0.0""#, .invalidValue, "hyperparameter"),
      (#""hyperparameter/weight_decay":"0.0""#, #""hyperparameter/weight_decay":"""#, .invalidValue, "hyperparameter"),
      (#""hyperparameter/bias_correction":"true""#, #""hyperparameter/bias_correction":"1""#, .invalidValue, "hyper"),
      (#""minimum_count":"20""#, #""minimum_count":"99999999999999999999""#, .invalidValue, "metadata"),
      ("first=dynamic8 second=dynamic8Unsigned\"", "first=float32 second=float32\"", .mismatch, "parameter/a"),
    ]
    for (old, new, kind, place) in edits { assertRefused(edited(old, new), kind, place, new) }
  }

  func testParameters() {
    let line = "count=150 step=1 role=weight reason=low-bits block=64 first=dynamic8 second=dynamic8Unsigned"
    let edits: [(String, CheckpointError.Kind, String)] = [
      (line + " seed=1", .malformed, "parameter/a"), ("count=150", .malformed, "parameter/a"),
      (line.replacingOccurrences(of: "count", with: "Count"), .malformed, "parameter/a"),
      (line.replacingOccurrences(of: " step", with: "  step"), .malformed, "parameter/a"),
      (line.replacingOccurrences(of: "step=1", with: "step=-5"), .invalidValue, "parameter/a"),
      (line.replacingOccurrences(of: "step=1", with: "step=9007199254740993"), .invalidValue, "parameter/a"),
      (line.replacingOccurrences(of: "step=1", with: "step=1.0"), .invalidValue, "parameter/a"),
      (line.replacingOccurrences(of: "count=150", with: "count=-1"), .invalidValue, "parameter/a"),
      (line.replacingOccurrences(of: "count=150", with: "count=281474976710657"), .invalidValue, "parameter/a"),
      (line.replacingOccurrences(of: "block=64", with: "block=63"), .invalidValue, "parameter/a"),
      (line.replacingOccurrences(of: "block=64", with: "block=18446744073709551616"), .invalidValue, "parameter/a"),
      (line.replacingOccurrences(of: "block=64", with: "block=128"), .malformed, "a.absmax1"),
      (line.replacingOccurrences(of: "block=64", with: "block=4096"), .malformed, "a.absmax1"),
      (line.replacingOccurrences(of: "first=dynamic8", with: "first=dynamic9"), .unsupported, "parameter/a"),
      (line.replacingOccurrences(of: "first=dynamic8", with: "first=dynamic8Unsigned"), .invalidValue, "parameter/a"),
      (line.replacingOccurrences(of: "dynamic8Unsigned", with: "dynamic8"), .invalidValue, "parameter/a"),
      (line.replacingOccurrences(of: "role=weight", with: "role=bias"), .unsupported, "parameter/a"),
      (line.replacingOccurrences(of: "low-bits", with: "because"), .unsupported, "parameter/a"),
      (line.replacingOccurrences(of: "low-bits", with: "by-request"), .invalidValue, "parameter/a"),
      (line + " checksum=00000000", .invalidValue, "parameter/a"), (line + " checksum=", .invalidValue, "parameter/a"),
    ]
    for (new, kind, place) in edits { assertRefused(edited(line, new), kind, place, new) }
    optimizer.reset()
    for count in [0, 129, 151, 1 << 48] {
      let new = line.replacingOccurrences(of: "count=150", with: "count=\(count)")
      assertRefused(edited(line, new), .malformed, "a.state1", new)
    }
    try? optimizer.restore(bytes: sound)
    assertRefused(edited("\"parameter/a\"", "\"parameter/c\""), .malformed, "c.state1", "a renamed parameter")
    assertRefused(edited("\"a.absmax1\"", "\"a.absmax3\""), .malformed, "a.absmax1", "a renamed tensor")
    // A tensor beyond the parameters'.
    assertRefused(split.adding("z.state1"), .unsupported, "z.state1", "an unknown tensor")
  }

  func testValues() throws {
    let reader = try sound.withUnsafeBytes { try SafetensorsReader(MemorySource(bytes: $0)) }
    for (name, values) in [
      ("a.absmax1", [.nan, .infinity, -1]), ("a.absmax2", [.nan, .infinity, -.infinity, -.leastNonzeroMagnitude]),
      ("b.state1", [.nan, .infinity, -.infinity]), ("b.state2", [.nan, -1, -.infinity]),
    ] as [(String, [Float])] {
      let start = try XCTUnwrap(reader.tensor(name)).range.lowerBound
      for value in values {
        assertRefused(split.withFloat(value, at: start + 4), .invalidValue, "\(name)[1]", "\(value) in \(name)")
      }
    }
    // Codes that share bytes leave zeros after the last.
    for bits in [2, 3, 4] {
      for count in 1...16 {
        let region = MomentRegion(name: "state", content: .codes(bits: bits), count: count, countPerBlock: 64)
        XCTAssertEqual(region.byteCount, (bits * count + 7) / 8)
        var bytes = [UInt8](repeating: 0, count: region.byteCount)
        let used = bits * count - 8 * (bytes.count - 1)
        bytes[bytes.count - 1] = UInt8(truncatingIfNeeded: 1 << used - 1)
        XCTAssertNil(bytes.withUnsafeBytes { region.firstProblem(in: $0) }?.index)
        guard used < 8 else { continue }
        bytes[bytes.count - 1] |= 1 << UInt8(used)
        XCTAssertEqual(bytes.withUnsafeBytes { region.firstProblem(in: $0) }?.index, bytes.count - 1)
      }
    }
  }

  func testParametersOfAnotherModel() throws {
    try optimizer.restore(bytes: sound, expecting: ["a": 150, "b": 4])
    assertRefused(sound, .mismatch, "a", "another size", expecting: ["a": 151, "b": 4])
    assertRefused(sound, .mismatch, "b", "an unknown parameter", expecting: ["a": 150])
    assertRefused(sound, .mismatch, "c", "a missing one", expecting: ["a": 150, "b": 4, "c": 5])
    var parameter = [Float](repeating: 1, count: 5)
    optimizer.reset()
    optimizer.update("b", &parameter, along: parameter)
    assertRefused(sound, .mismatch, "b", "a size that the optimizer knows better")
    assertRefused(sound, .mismatch, "b", "the same with conversion", converting: true)
  }

  func testFilesThatCannotBeRead() throws {
    let folder = try TemporaryFolder()
    mkfifo(folder.file("pipe").path, 0o600)
    let before = OptimizerSnapshot(optimizer)
    for url in [folder.file("missing"), folder.url, folder.file("pipe"), URL(string: "https://example.com/a")!] {
      XCTAssertThrowsError(try optimizer.restore(from: url)) {
        XCTAssertEqual(($0 as! CheckpointError).kind, .fileAccess)
      }
    }
    // A file that becomes shorter after it was opened, at every stage of reading it.
    let file = folder.file("shrinking")
    for length in stride(from: 0, to: sound.count, by: 7) {
      try Data(sound).write(to: file)
      let source = try FileSource(file.path)
      truncate(file.path, off_t(length))
      XCTAssertThrowsError(try optimizer.restore(reading: source)) {
        XCTAssertEqual(($0 as! CheckpointError).kind, .fileAccess, "\($0)")
      }
      XCTAssertEqual(OptimizerSnapshot(optimizer), before)
    }
  }

  /// A header at the format's limit is read in time, and one that claims more state than there is memory is refused.
  func testSizesThatHurt() throws {
    let many = (0..<100_000).map { #""\#($0)":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}"# }.joined(separator: ",")
    let start = Date()
    assertRefused(safetensors("{\(many)}"), .unsupported, "metadata", "100,000 tensors")
    XCTAssertLessThan(Date().timeIntervalSince(start), 5)
    #if os(Linux)
    // A sparse file of 2^46 bytes, all of it one sound-looking state.
    let folder = try TemporaryFolder()
    let count = 1 << 40
    let line = "count=\(count) step=1 role=weight reason=by-request block=64 first=float32 second=float32"
    var header = split.header.components(separatedBy: ",\"parameter/")[0]
    header += ",\"parameter/a\":\"\(line)\",\"rule\":\"adam\"}"
    header += ",\"a.state1\":{\"dtype\":\"F32\",\"shape\":[\(count)],\"data_offsets\":[0,\(4 * count)]}"
    header += ",\"a.state2\":{\"dtype\":\"F32\",\"shape\":[\(count)],\"data_offsets\":[\(4 * count),\(8 * count)]}}"
    let file = safetensors(header)
    try Data(file).write(to: folder.file("sparse"))
    // Some file systems have no files of that size; they have no such attack either.
    guard truncate(folder.file("sparse").path, off_t(file.count + 8 * count)) == 0 else { return }
    optimizer.reset()
    XCTAssertThrowsError(try optimizer.restore(from: folder.file("sparse"))) {
      XCTAssertTrue("\($0)".contains("no memory"), "\($0)")
    }
    #endif
  }
}
