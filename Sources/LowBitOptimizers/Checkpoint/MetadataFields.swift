/// Text fields of a checkpoint that are taken one by one, so that none is missed and none is left.
struct MetadataFields {
  private var fields: [String: String]
  /// Where they stand in the file.
  let place: String

  init(_ fields: [String: String], place: String) {
    self.fields = fields
    self.place = place
  }

  /// Reads "count=5 step=2": each name once, in the order given, those that may be missing last.
  init(line: String, names: [String], optional: [String] = [], place: String) throws(CheckpointError) {
    let parts = line.split(separator: " ", omittingEmptySubsequences: false)
    let expected =
      names + optional.filter { name in parts.dropFirst(names.count).contains { $0.hasPrefix("\(name)=") } }
    fields = [:]
    self.place = place
    for (part, name) in zip(parts, expected) where part.hasPrefix("\(name)=") {
      fields[name] = String(part.dropFirst(name.count + 1))
    }
    guard parts.count == expected.count, fields.count == parts.count else {
      throw CheckpointError(.malformed, place, "not of the form \(names.joined(separator: "=… "))=…")
    }
  }

  var names: [String] { fields.keys.sorted() }

  mutating func takeIfPresent(_ name: String) -> String? { fields.removeValue(forKey: name) }

  mutating func take(_ name: String) throws(CheckpointError) -> String {
    guard let text = takeIfPresent(name) else { throw CheckpointError(.malformed, place, "\(name) is missing") }
    return text
  }

  mutating func take(_ name: String, in range: ClosedRange<Double>) throws(CheckpointError) -> Double {
    try parsed(name, in: range) { Self.isDecimal($0) ? Double($0) : nil }
  }

  mutating func take(_ name: String, in range: ClosedRange<Float>) throws(CheckpointError) -> Float {
    try parsed(name, in: range) { Self.isDecimal($0) ? Float($0) : nil }
  }

  mutating func take(_ name: String, in range: ClosedRange<Int>) throws(CheckpointError) -> Int {
    try parsed(name, in: range) { Int($0) }
  }

  mutating func takeIfPresent(_ name: String, in range: ClosedRange<Int>) throws(CheckpointError) -> Int? {
    fields[name] == nil ? nil : try take(name, in: range)
  }

  mutating func takeIfPresent(_ name: String, in range: ClosedRange<UInt64>) throws(CheckpointError) -> UInt64? {
    fields[name] == nil ? nil : try parsed(name, in: range) { UInt64($0) }
  }

  mutating func takeBool(_ name: String) throws(CheckpointError) -> Bool {
    let text = try take(name)
    guard let value = Bool(text) else {
      throw CheckpointError(.invalidValue, place, "\(name) \(text) is neither true nor false")
    }
    return value
  }

  /// Reads "96x128": decimal dimensions whose product is the count.
  mutating func takeShapeIfPresent(_ name: String, of count: Int) throws(CheckpointError) -> [Int]? {
    guard let text = takeIfPresent(name) else { return nil }
    let parts = text.split(separator: "x", omittingEmptySubsequences: false)
    let shape = parts.compactMap { $0.utf8.allSatisfy { (48...57).contains($0) } ? Int($0) : nil }
    guard
      shape.count == parts.count, shape.count <= TensorUpdate.mostDimensions,
      TensorUpdate.elementCount(of: shape) == count
    else {
      throw CheckpointError(.invalidValue, place, "\(name) \(text) has not \(count) elements")
    }
    return shape
  }

  private mutating func parsed<Value: Comparable>(
    _ name: String, in range: ClosedRange<Value>, _ parse: (String) -> Value?
  ) throws(CheckpointError) -> Value {
    let text = try take(name)
    guard let value = parse(text), range.contains(value) else {
      throw CheckpointError(
        .invalidValue, place, "\(name) \(text) is not a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// Swift would also read "nan", "infinity" and hexadecimal digits.
  private static func isDecimal(_ text: String) -> Bool {
    text.utf8.count <= 64 && text.utf8.allSatisfy { "0123456789+-.eE".utf8.contains($0) }
  }

  func checkAllTaken() throws(CheckpointError) {
    guard let name = names.first else { return }
    throw CheckpointError(.unsupported, place, "\(name) is unknown here")
  }
}

// MARK: - The rules' hyperparameters

extension AdamRule {
  var name: String { decay == .coupled ? "adam" : "adamw" }

  var hyperparameters: [String: String] {
    [
      "beta1": "\(beta1)", "beta2": "\(beta2)", "epsilon": "\(epsilon)", "weight_decay": "\(weightDecay)",
      "bias_correction": "\(biasCorrection)",
    ]
  }

  func with(_ fields: inout MetadataFields) throws(CheckpointError) -> AdamRule {
    var rule = self
    rule.beta1 = try fields.take("beta1", in: 0...1.0.nextDown)
    rule.beta2 = try fields.take("beta2", in: 0...1.0.nextDown)
    rule.epsilon = try fields.take("epsilon", in: 1e-30...Double(Float.greatestFiniteMagnitude))
    rule.weightDecay = try fields.take("weight_decay", in: 0...Double(Float.greatestFiniteMagnitude))
    rule.biasCorrection = try fields.takeBool("bias_correction")
    return rule
  }
}

extension MomentumRule {
  var name: String { "momentum" }

  var hyperparameters: [String: String] {
    [
      "momentum": "\(momentum)", "dampening": "\(dampening)", "nesterov": "\(nesterov)",
      "weight_decay": "\(weightDecay)",
    ]
  }

  func with(_ fields: inout MetadataFields) throws(CheckpointError) -> MomentumRule {
    var rule = self
    rule.momentum = try fields.take("momentum", in: 0...1.0.nextDown)
    rule.dampening = try fields.take("dampening", in: 0...1.0)
    rule.nesterov = try fields.takeBool("nesterov")
    rule.weightDecay = try fields.take("weight_decay", in: 0...Double(Float.greatestFiniteMagnitude))
    return rule
  }
}
