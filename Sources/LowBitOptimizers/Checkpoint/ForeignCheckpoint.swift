import BlockQuantization
import Foundation

/// Whose optimizer state a file holds, and how it names it. All are safetensors files.
public enum ForeignLayout: Hashable, Sendable, CaseIterable {
  /// bitsandbytes 0.49.2 and later: 8-bit state in blocks of 256, nested under `__bnb_optimizer_quant_state__`.
  case bitsandbytes
  /// bitsandbytes 0.44 to 0.49.1: blocks of 256, no nesting.
  case bitsandbytesFlat
  /// bitsandbytes before 0.44: blocks of 2048, no nesting.
  case bitsandbytesBlock2048
  /// PyTorch's Adam, AdamW and SGD: float32 moments.
  case pyTorch
}

/// The names of the peers' tensors.
enum ForeignName {
  static let nesting = "__bnb_optimizer_quant_state__"

  /// What stands after a parameter's key, and means the same in every layout.
  enum Part: String, CaseIterable {
    case step
    case state1
    case state2
    case absmax1
    case absmax2
    case map1 = "qmap1"
    case map2 = "qmap2"
    case mean = "exp_avg"
    case meanOfSquares = "exp_avg_sq"
    case momentumBuffer = "momentum_buffer"

    var isBitsandbytes: Bool { [.state1, .state2, .absmax1, .absmax2, .map1, .map2].contains(self) }
  }

  /// The key and part of a tensor's name; nil if it is nothing known.
  static func split(_ name: String) -> (key: ParameterKey, part: Part)? {
    guard let dot = name.lastIndex(of: "."), let part = Part(rawValue: String(name[name.index(after: dot)...])) else {
      return nil
    }
    var key = name[..<dot]
    if part.isBitsandbytes && key.hasSuffix("." + nesting) { key = key.dropLast(nesting.count + 1) }
    return (ParameterKey(String(key)), part)
  }
}

/// The tensors of one parameter in another library's file.
struct ForeignParameter {
  typealias Tensor = SafetensorsHeader.Tensor

  let key: ParameterKey
  var tensors: [ForeignName.Part: Tensor] = [:]

  /// All parameters of a file, sorted by key.
  static func all(in header: SafetensorsHeader) throws(CheckpointError) -> [ForeignParameter] {
    var parameters: [ParameterKey: ForeignParameter] = [:]
    for tensor in header.tensors {
      guard let (key, part) = ForeignName.split(tensor.name) else {
        throw CheckpointError(
          .unsupported, tensor.name, "is no tensor of bitsandbytes' or PyTorch's Adam, AdamW or SGD")
      }
      guard parameters[key, default: ForeignParameter(key: key)].tensors.updateValue(tensor, forKey: part) == nil else {
        throw CheckpointError(.malformed, tensor.name, "occurs in both layouts")
      }
    }
    return parameters.values.sorted { $0.key < $1.key }
  }

  func required(_ part: ForeignName.Part, _ types: SafetensorsType...) throws(CheckpointError) -> Tensor {
    guard let tensor = tensors[part] else {
      throw CheckpointError(.malformed, "\(key).\(part.rawValue)", "the tensor is missing")
    }
    guard types.contains(tensor.type) else {
      throw CheckpointError(
        .unsupported, tensor.name,
        "is \(tensor.type.rawValue), not \(types.map(\.rawValue).joined(separator: " or "))")
    }
    return tensor
  }

  /// The moments' tensors by number, and the parts that belong to them.
  func plan(moments: Int) throws(CheckpointError) -> ForeignPlan {
    let isBitsandbytes = tensors.keys.contains { $0.isBitsandbytes }
    let names: [ForeignName.Part] =
      isBitsandbytes ? [.state1, .state2] : moments == 2 ? [.mean, .meanOfSquares] : [.momentumBuffer]
    var plan = ForeignPlan()
    var known: Set<ForeignName.Part> = [.step]
    for (index, name) in names.prefix(moments).enumerated() {
      let state = try isBitsandbytes ? required(name, .u8, .f32) : required(name, .f32)
      known.insert(name)
      var moment = ForeignPlan.Moment(state: state)
      if state.type == .u8 {
        let parts: (ForeignName.Part, ForeignName.Part) = index == 0 ? (.absmax1, .map1) : (.absmax2, .map2)
        moment.scales = try required(parts.0, .f32)
        moment.map = try required(parts.1, .f32)
        known.formUnion([parts.0, parts.1])
      }
      plan.moments.append(moment)
    }
    if let part = tensors.keys.first(where: { !known.contains($0) }) {
      throw CheckpointError(
        .mismatch, tensors[part]!.name, "is not part of a state of \(moments == 2 ? "Adam" : "Momentum")")
    }
    let count = plan.moments[0].state.count
    for moment in plan.moments where moment.state.count != count || moment.state.type != plan.moments[0].state.type {
      throw CheckpointError(.malformed, moment.state.name, "is not like \(plan.moments[0].state.name)")
    }
    // PyTorch's SGD keeps no count; that there is a buffer says that there was a step.
    plan.step = moments == 1 && !isBitsandbytes && tensors[.step] == nil ? nil : try required(.step, .i64, .f32)
    if let step = plan.step, step.count != 1 {
      throw CheckpointError(.malformed, step.name, "has \(step.count) elements instead of one")
    }
    return plan
  }
}

/// How one parameter of another library's file is read.
struct ForeignPlan {
  struct Moment {
    var state: SafetensorsHeader.Tensor
    /// For 8-bit state alone.
    var scales: SafetensorsHeader.Tensor?
    var map: SafetensorsHeader.Tensor?
  }

  var moments: [Moment] = []
  var step: SafetensorsHeader.Tensor?

  var count: Int { moments[0].state.count }
  /// The peers' moments have the shape of their parameter.
  var shape: [Int] { moments[0].state.shape }
  var is32Bit: Bool { moments[0].state.type == .f32 }

  /// The file does not say the block size; it follows from the number of scales. Where several sizes give that number,
  /// one block holds the whole tensor, and they mean the same.
  func blockSize() throws(CheckpointError) -> Int {
    let scaleCount = moments[0].scales!.count
    for moment in moments where moment.scales!.count != scaleCount {
      throw CheckpointError(.malformed, moment.scales!.name, "has \(moment.scales!.count) scales, not \(scaleCount)")
    }
    let sizes = [256, 2048, 64, 128, 512, 1024, 4096]
    guard let size = sizes.first(where: { (count + $0 - 1) / $0 == scaleCount }) else {
      throw CheckpointError(
        .unsupported, moments[0].scales!.name,
        "\(scaleCount) scales for \(count) elements are of no block size from 64 to 4096")
    }
    return size
  }
}
