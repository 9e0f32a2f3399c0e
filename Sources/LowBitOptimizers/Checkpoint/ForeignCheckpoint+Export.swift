import BlockQuantization
import Foundation

extension LowBitOptimizer {
  /// Saves moments and step counts as bitsandbytes or PyTorch names them, in float32 or 8 bits as they are here.
  ///
  /// Tensors are flat; Python gives them their shape with `view_as`. The file is replaced as in ``save(to:)-(URL)``.
  ///
  /// ```swift
  /// try optimizer.exportState(to: URL(filePath: "adamw8bit.safetensors"), as: .bitsandbytes)
  /// ```
  ///
  /// - Throws: ``CheckpointError`` if the layout cannot express a state: PyTorch's has no low-bit state (convert to a
  ///   32-bit optimizer first), and each of bitsandbytes' has one block size.
  public final func exportState(to url: URL, as layout: ForeignLayout) throws(CheckpointError) {
    let path = try url.localPath()
    do throws(CheckpointError) {
      let memory = ExportMemory()
      var tensors: [SafetensorsTensor] = []
      for state in states.values {
        try state.check()
        try tensors += layout == .pyTorch ? state.pyTorchTensors(memory) : state.bitsandbytesTensors(layout, memory)
      }
      try withExtendedLifetime(memory) { () throws(CheckpointError) in
        try SafetensorsWriter.save(tensors, metadata: [:], to: path)
      }
    } catch {
      throw error.at(path)
    }
  }
}

/// Holds the few bytes of steps and tables that an export adds to the state's own memory.
private final class ExportMemory {
  private var pieces: [UnsafeMutableRawPointer] = []

  func keep<Element: BitwiseCopyable>(_ values: [Element]) -> UnsafeRawBufferPointer {
    values.withUnsafeBytes { bytes in
      let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 16)
      copy.copyMemory(from: bytes)
      pieces.append(copy.baseAddress!)
      return UnsafeRawBufferPointer(rebasing: copy[..<bytes.count])
    }
  }

  deinit { for piece in pieces { piece.deallocate() } }
}

extension ParameterState {
  private func tensor(_ name: String, _ region: StateRegion) -> SafetensorsTensor {
    SafetensorsTensor(name, region.region.type, shape: [region.region.elementCount], bytes: .init(region.memory))
  }

  fileprivate func pyTorchTensors(_ memory: ExportMemory) throws(CheckpointError) -> [SafetensorsTensor] {
    guard formats.is32Bit else {
      throw CheckpointError(
        .unsupported, "\(key)", "\(formats.line): PyTorch's state is float32; convert to a 32-bit optimizer first")
    }
    guard let second else {
      // PyTorch has a buffer from the first step on, and no count.
      return step == 0 ? [] : [tensor("\(key).momentum_buffer", regions[0])]
    }
    guard let step = Float(exactly: step) else {
      throw CheckpointError(.unsupported, "\(key)", "PyTorch keeps the step \(step) in float32, which cannot hold it")
    }
    precondition(second.format == .float32)
    return [
      tensor("\(key).exp_avg", regions[0]), tensor("\(key).exp_avg_sq", regions[1]),
      SafetensorsTensor("\(key).step", .f32, shape: [], bytes: memory.keep([step])),
    ]
  }

  fileprivate func bitsandbytesTensors(
    _ layout: ForeignLayout, _ memory: ExportMemory
  ) throws(CheckpointError) -> [SafetensorsTensor] {
    let blockSize = layout == .bitsandbytesBlock2048 ? 2048 : 256
    let known: [StateFormats] = [
      StateFormats(.dynamic8, second == nil ? nil : .dynamic8, blockSize: blockSize), formats.in32Bit,
    ]
    guard known.contains(formats) else {
      throw CheckpointError(
        .unsupported, "\(key)", "\(formats.line): this layout has float32 or dynamic8 in blocks of \(blockSize)")
    }
    let prefix = layout == .bitsandbytes ? "\(key).\(ForeignName.nesting)" : key.name
    var tensors = regions.map { tensor("\(prefix).\($0.region.name)\($0.moment)", $0) }
    for (number, moment) in [(1, first), (2, second)] {
      guard case .blocks(let quantizer) = moment?.format else { continue }
      let values = quantizer.codebook.values
      tensors.append(
        SafetensorsTensor("\(prefix).qmap\(number)", .f32, shape: [values.count], bytes: memory.keep(values)))
    }
    tensors.append(SafetensorsTensor("\(key).step", .i64, shape: [], bytes: memory.keep([Int64(step)])))
    return tensors
  }
}
