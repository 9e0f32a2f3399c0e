import BlockQuantization

/// All that an optimizer remembers of one parameter.
final class ParameterState {
  let key: ParameterKey
  let count: Int
  /// The dimensions, if the caller has named them: formats with scales per row and column need them.
  let shape: [Int]?
  let reason: FormatReason
  /// Decides the formats anew when the state is converted.
  let role: ParameterRole
  let formats: StateFormats
  let first: MomentStorage
  let second: MomentStorage?
  /// The key's part in the random numbers of stochastic rounding.
  let keyHash: UInt64
  /// The number of the first block in the parameter that this is a slice of; 0 for a whole one. A slice rounds with the
  /// same random numbers as the whole.
  var firstBlock = 0
  /// Updates so far, of this parameter alone. Once an optimizer has the state, it alone changes it.
  var step = 0
  /// The optimizer's call that last touched this state, to find a key that is named twice in a batch.
  var lastCall = 0

  init(
    key: ParameterKey, count: Int, shape: [Int]?, formats: StateFormats, reason: FormatReason,
    role: ParameterRole = .weight
  ) {
    self.key = key
    self.count = count
    keyHash = RandomStream.hash(of: key.name)
    // A scalar's shape says no more than its count.
    self.shape = shape?.isEmpty == true ? nil : shape
    self.reason = reason
    self.role = role
    self.formats = formats
    first = MomentStorage(format: formats.first, count: count, shape: shape)
    second = formats.second.map { MomentStorage(format: $0, count: count, shape: shape) }
  }

  var byteCount: Int { first.byteCount + (second?.byteCount ?? 0) }
}
