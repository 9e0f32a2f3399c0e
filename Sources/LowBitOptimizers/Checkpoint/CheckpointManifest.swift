import BlockQuantization

/// What a checkpoint's metadata says: everything that the next step depends on but the moments themselves.
struct CheckpointManifest {
  struct Entry {
    let key: ParameterKey
    let count: Int
    let shape: [Int]?
    let step: Int
    /// Of the parameter that this is a slice of.
    let firstBlock: Int
    let role: ParameterRole
    let formats: StateFormats
    let reason: FormatReason
    /// Of the entry and its moments; nil if the file has none.
    var checksum: String?
  }

  static let format = FileFormat(
    "LowBitOptimizers state", version: 1,
    hint: "the file is no checkpoint of an optimizer of this package; importState(from:) reads those of others")
  static let largestStep = 1 << 53
  static let largestCount = 1 << 48

  var rule: any UpdateRule
  var learningRate: Float
  /// Of the stochastic rounding.
  var seed: UInt64
  var formats: StateFormats
  var sizeRule: SizeRule
  /// Sorted by key.
  var entries: [Entry]
}

// MARK: - Writing

extension CheckpointManifest {
  init(of optimizer: LowBitOptimizer, entries: [Entry]) {
    rule = optimizer.rule
    learningRate = optimizer.learningRate
    seed = optimizer.seed
    formats = optimizer.formats
    sizeRule = optimizer.sizeRule
    self.entries = entries
  }

  var metadata: [String: String] {
    var metadata = [
      "rule": rule.name, "learning_rate": "\(learningRate)", "formats": formats.line,
      "minimum_count": "\(sizeRule.minimumCount)",
    ]
    if seed != 0 { metadata["seed"] = "\(seed)" }
    for (name, value) in rule.hyperparameters { metadata["hyperparameter/\(name)"] = value }
    for (key, count) in sizeRule.minimumCounts { metadata["minimum_count/\(key)"] = "\(count)" }
    for entry in entries {
      metadata["parameter/\(entry.key)"] = entry.line + (entry.checksum.map { " checksum=\($0)" } ?? "")
    }
    return Self.format.seal(metadata)
  }
}

extension CheckpointManifest.Entry {
  init(of state: ParameterState) {
    key = state.key
    count = state.count
    shape = state.shape
    step = state.step
    firstBlock = state.firstBlock
    role = state.role
    formats = state.formats
    reason = state.reason
  }

  /// All but the checksum.
  var line: String {
    "count=\(count) step=\(step) role=\(role.identifier) reason=\(reason.identifier) \(formats.line)"
      + (firstBlock == 0 ? "" : " first_block=\(firstBlock)")
      + (shape.map { " shape=" + $0.map(String.init).joined(separator: "x") } ?? "")
  }

  /// Binds the moments to their key, step and formats.
  func checksum(of regions: [StateRegion]) -> String {
    var checksum = Checksum()
    checksum.add("\(key)\0\(line)\0")
    for region in regions { checksum.add(UnsafeRawBufferPointer(region.memory)) }
    return checksum.text
  }
}

// MARK: - Reading

extension CheckpointManifest {
  /// - Parameter optimizer: gives the rule, of which the file must be too.
  init(_ metadata: [String: String], for optimizer: LowBitOptimizer) throws(CheckpointError) {
    var fields = try Self.format.open(metadata)
    let name = try fields.take("rule")
    guard name == optimizer.rule.name else {
      throw CheckpointError(
        .mismatch, "metadata", "the state is that of the rule \(name), the optimizer's rule is \(optimizer.rule.name)")
    }
    learningRate = try fields.take("learning_rate", in: 0...Float.greatestFiniteMagnitude)
    seed = try fields.takeIfPresent("seed", in: 1...UInt64.max) ?? 0
    var formatFields = try MetadataFields(
      line: try fields.take("formats"), names: StateFormats.fieldNames(optimizer), optional: ["matrix_block"],
      place: "formats")
    formats = try StateFormats(&formatFields)
    sizeRule = SizeRule(minimumCount: try fields.take("minimum_count", in: Int.min...Int.max))

    entries = []
    var hyperparameters: [String: String] = [:]
    for name in fields.names {
      if let parameter = name.removing(prefix: "hyperparameter/") {
        hyperparameters[parameter] = try fields.take(name)
      } else if let key = name.removing(prefix: "minimum_count/") {
        sizeRule.setMinimumCount(try fields.take(name, in: Int.min...Int.max), for: ParameterKey(key))
      } else if let key = name.removing(prefix: "parameter/") {
        entries.append(try Self.entry(ParameterKey(key), line: try fields.take(name), optimizer))
      }
    }
    try fields.checkAllTaken()
    var rest = MetadataFields(hyperparameters, place: "hyperparameter")
    rule = try optimizer.rule.with(&rest)
    try rest.checkAllTaken()
  }

  private static func entry(
    _ key: ParameterKey, line: String, _ optimizer: LowBitOptimizer
  ) throws(CheckpointError) -> Entry {
    var fields = try MetadataFields(
      line: line, names: ["count", "step", "role", "reason"] + StateFormats.fieldNames(optimizer),
      optional: ["first_block", "shape", "checksum"],
      place: "parameter/\(key)")
    let count = try fields.take("count", in: 0...largestCount)
    let entry = Entry(
      key: key, count: count, shape: try fields.takeShapeIfPresent("shape", of: count),
      step: try fields.take("step", in: 0...largestStep),
      firstBlock: try fields.takeIfPresent("first_block", in: 1...largestCount) ?? 0,
      role: try ParameterRole(try fields.take("role"), place: fields.place), formats: try StateFormats(&fields),
      reason: try FormatReason(try fields.take("reason"), place: fields.place),
      checksum: fields.takeIfPresent("checksum"))
    guard entry.formats.is32Bit == (entry.reason != .largeEnough) else {
      throw CheckpointError(.invalidValue, fields.place, "the reason \(entry.reason.identifier) is not of the formats")
    }
    guard entry.formats.fitting(entry.shape) == entry.formats else {
      throw CheckpointError(.invalidValue, fields.place, "the shape has no scales or means per row and column")
    }
    guard entry.role != .embedding || entry.formats.second != .factored else {
      throw CheckpointError(.invalidValue, fields.place, "an embedding has no means of rows and columns")
    }
    return entry
  }
}

extension String {
  /// By bytes: a key may begin with an accent, which makes one character with the prefix's last.
  fileprivate func removing(prefix: String) -> String? {
    guard utf8.starts(with: prefix.utf8) else { return nil }
    return String(decoding: utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
  }
}

// MARK: - Formats and reasons as text

extension StateFormats {
  var line: String {
    "block=\(blockSize) first=\(first.identifier)" + (second.map { " second=\($0.identifier)" } ?? "")
      + (matrixBlockSize.map { " matrix_block=\($0)" } ?? "")
  }

  static func fieldNames(_ optimizer: LowBitOptimizer) -> [String] {
    ["block", "first"] + (optimizer.formats.second == nil ? [] : ["second"])
  }

  init(_ fields: inout MetadataFields) throws(CheckpointError) {
    blockSize = try fields.take("block", in: 64...4096)
    first = try MomentFormat(try fields.take("first"), blockSize, isSecond: false, fields.place)
    second = nil
    if let identifier = fields.takeIfPresent("second") {
      second = try MomentFormat(identifier, blockSize, isSecond: true, fields.place)
    }
    matrixBlockSize = try fields.takeIfPresent("matrix_block", in: 64...4096)
    if let matrixBlockSize {
      for (moment, isSecond) in [(first, false), (second, true)] {
        if let moment { _ = try MomentFormat(moment.identifier, matrixBlockSize, isSecond: isSecond, fields.place) }
      }
    }
  }

  /// Whether the moments are stored alike, but perhaps in blocks of another size.
  func isSamePrecision(as other: StateFormats) -> Bool {
    first.identifier == other.first.identifier && second?.identifier == other.second?.identifier
  }

  /// Whether a parameter of an optimizer with these formats can have the others.
  func covers(_ other: StateFormats) -> Bool {
    func covers(_ format: MomentFormat?, _ other: MomentFormat?) -> Bool {
      [format, format?.fitting(nil, blockSize: blockSize)].contains { $0?.identifier == other?.identifier }
    }
    return covers(first, other.first) && covers(second, other.second)
  }
}

extension MomentFormat {
  fileprivate init(_ identifier: String, _ blockSize: Int, isSecond: Bool, _ place: String) throws(CheckpointError) {
    guard let format = MomentFormat(identifier: identifier, blockSize: blockSize) else {
      throw CheckpointError(.unsupported, place, "the format \(identifier) is unknown here")
    }
    self = format
    let isUnsigned = codebook.map { !$0.isSigned } ?? (self != .float32)
    if self != .float32 && isUnsigned != isSecond {
      throw CheckpointError(
        .invalidValue, place, "\(identifier) cannot hold a \(isSecond ? "second" : "first") moment")
    }
  }
}

extension ParameterRole {
  var identifier: String {
    switch self {
    case .weight: "weight"
    case .embedding: "embedding"
    }
  }

  init(_ identifier: String, place: String) throws(CheckpointError) {
    guard let role = [ParameterRole.weight, .embedding].first(where: { $0.identifier == identifier }) else {
      throw CheckpointError(.unsupported, place, "the role \(identifier) is unknown here")
    }
    self = role
  }
}

extension FormatReason {
  var identifier: String {
    switch self {
    case .optimizerIs32Bit: "float32-optimizer"
    case .smallerThan(let count): "smaller-than-\(count)"
    case .keptByRequest: "by-request"
    case .embedding: "embedding"
    case .largeEnough: "low-bits"
    }
  }

  init(_ identifier: String, place: String) throws(CheckpointError) {
    let simple: [FormatReason] = [.optimizerIs32Bit, .keptByRequest, .embedding, .largeEnough]
    if let reason = simple.first(where: { $0.identifier == identifier }) {
      self = reason
    } else if identifier.hasPrefix("smaller-than-"), let count = Int(identifier.dropFirst(13)) {
      self = .smallerThan(count)
    } else {
      throw CheckpointError(.unsupported, place, "the reason \(identifier) is unknown here")
    }
  }
}
