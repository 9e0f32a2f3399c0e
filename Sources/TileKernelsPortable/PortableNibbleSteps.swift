import TileKernels

private enum Stages: NibbleStages {
  @inline(__always)
  static func absmax(_ values: UnsafePointer<Float>, _ count: Int) -> Float { portableAbsmax(values, count) }

  @inline(__always)
  static func adam(
    _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
    _ firstMoments: UnsafeMutablePointer<Float>, _ secondMoments: UnsafeMutablePointer<Float>,
    _ count: Int, _ constants: AdamConstants
  ) -> MomentMaxima {
    portableAdam(parameters, gradients, firstMoments, secondMoments, count, constants)
  }

  @inline(__always)
  static func momentum(
    _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>,
    _ buffers: UnsafeMutablePointer<Float>, _ count: Int, _ constants: MomentumConstants
  ) -> Float {
    portableMomentum(parameters, gradients, buffers, count, constants)
  }

  @inline(__always)
  static func decode(
    _ codes: UnsafePointer<UInt8>, _ count: Int, _ scale: Float, _ map: NibbleMap,
    _ values: UnsafeMutablePointer<Float>
  ) {
    portableDecodeNibbles(codes, count, scale, map, values)
  }

  @inline(__always)
  static func encode(
    _ values: UnsafePointer<Float>, _ count: Int, _ reciprocal: Float, _ map: NibbleMap,
    _ codes: UnsafeMutablePointer<UInt8>
  ) {
    portableEncodeNibbles(values, count, reciprocal, map, codes)
  }
}

@inline(never)
package func portableAdamOnNibbles(
  _ run: BlockRun, _ first: NibbleMoment, _ second: NibbleMoment, _ constants: AdamConstants
) -> Int {
  adamOnNibbles(Stages.self, run, first, second, constants)
}

@inline(never)
package func portableMomentumOnNibbles(
  _ run: BlockRun, _ buffer: NibbleMoment, _ constants: MomentumConstants
) -> Int {
  momentumOnNibbles(Stages.self, run, buffer, constants)
}

@inline(never)
package func portableRaiseAdamSlices(
  _ run: BlockRun, _ second: SliceMoment, _ maxima: UnsafeMutablePointer<Int32>, _ constants: AdamConstants
) {
  raiseAdamSlices(Stages.self, run, second, maxima, constants)
}

@inline(never)
package func portableAdamOnSlices(
  _ run: BlockRun, _ first: NibbleMoment, _ second: SliceMoment, _ constants: AdamConstants
) -> Int {
  adamOnSlices(Stages.self, run, first, second, constants)
}
