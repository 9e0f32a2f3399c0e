import ProgramSupport

/// Where one tensor of a model lives among all its parameters, and how it starts.
struct ParameterSlot: Equatable {
  enum Start: Equatable {
    case zeros
    case ones
    /// Normally distributed around zero.
    case normal(deviation: Double)
  }

  let name: String
  let shape: [Int]
  let start: Start
  let offset: Int

  var count: Int { shape.reduce(1, *) }
}

/// The ordered list of a model's tensors, filled while its layers are being set up.
struct ParameterLayout {
  private(set) var slots: [ParameterSlot] = []
  /// Floats needed for all tensors, with the gaps that start each of them on a cache line.
  private(set) var capacity = 0

  mutating func add(_ name: String, _ shape: [Int], _ start: ParameterSlot.Start) -> ParameterSlot {
    precondition(!slots.contains { $0.name == name }, "two parameters are named \(name)")
    let slot = ParameterSlot(name: name, shape: shape, start: start, offset: capacity)
    slots.append(slot)
    capacity += (slot.count + 15) & ~15
    return slot
  }
}

/// One tensor of a model: what an optimizer needs to know of it.
struct Parameter {
  let name: String
  let shape: [Int]
  let value: UnsafeMutableBufferPointer<Float>
  let gradient: UnsafeMutableBufferPointer<Float>
}

/// The values and the gradients of all tensors of one model, in the order of its layout.
final class ParameterStore {
  let layout: ParameterLayout
  let values: UnsafeMutablePointer<Float>
  let gradients: UnsafeMutablePointer<Float>
  let parameters: [Parameter]

  /// The same seed gives the same values; a tensor's values do not depend on the tensors around it.
  init(layout: ParameterLayout, seed: UInt64) {
    self.layout = layout
    values = .allocate(capacity: layout.capacity)
    values.initialize(repeating: 0, count: layout.capacity)
    gradients = .allocate(capacity: layout.capacity)
    gradients.initialize(repeating: 0, count: layout.capacity)
    let (values, gradients) = (values, gradients)
    parameters = layout.slots.map { slot in
      Parameter(
        name: slot.name, shape: slot.shape,
        value: UnsafeMutableBufferPointer(start: values + slot.offset, count: slot.count),
        gradient: UnsafeMutableBufferPointer(start: gradients + slot.offset, count: slot.count))
    }
    for (slot, parameter) in zip(layout.slots, parameters) { parameter.fill(slot.start, seed: seed) }
  }

  deinit {
    values.deallocate()
    gradients.deallocate()
  }

  /// The number of trained values, without the gaps between tensors.
  var count: Int { parameters.reduce(0) { $0 + $1.value.count } }

  /// The square of the whole gradient's length.
  var gradientSquareSum: Double {
    parameters.reduce(0) { $0 + sumOfSquares($1.gradient.baseAddress!, count: $1.gradient.count) }
  }

  func scaleGradients(by factor: Float) {
    for i in 0..<layout.capacity { gradients[i] *= factor }
  }
}

extension Parameter {
  fileprivate func fill(_ start: ParameterSlot.Start, seed: UInt64) {
    switch start {
    case .zeros: value.update(repeating: 0)
    case .ones: value.update(repeating: 1)
    case .normal(let deviation):
      var generator = SplitMix64(seed: seed, stream: name)
      for i in value.indices { value[i] = Float(generator.nextNormal() * deviation) }
    }
  }
}
