import LowBitOptimizers

/// How the moments of Adam are kept in the ablation, from worst to best.
enum AblationFormat: String, CaseIterable, Sendable {
  case linear
  case dynamic
  case blockwiseDynamic = "block-wise-dynamic"
  case package = "Adam8bit"
  case float32 = "Adam32"

  var title: String {
    switch self {
    case .linear: "8-bit linear, whole tensor"
    case .dynamic: "8-bit dynamic, whole tensor"
    case .blockwiseDynamic: "8-bit dynamic, blocks of 256"
    case .package: "Adam8bit"
    case .float32: "Adam32"
    }
  }

  func optimizer(_ setting: AdamSetting) -> any StudyOptimizer {
    switch self {
    case .linear: SimulatedAdam(setting, first: .linear, second: .linearUnsigned)
    case .dynamic:
      SimulatedAdam(setting, first: .dynamic(.wholeTensor), second: .dynamicUnsigned(.wholeTensor))
    case .blockwiseDynamic:
      SimulatedAdam(setting, first: .dynamic(.blocks(256)), second: .dynamicUnsigned(.blocks(256)))
    case .package: setting.configured(Adam8bit.init)
    case .float32: setting.configured(Adam32.init)
    }
  }
}

/// The hyperparameters that the ablation varies.
struct AdamSetting: Hashable, Sendable {
  var beta1: Float = 0.9
  var beta2: Float = 0.999
  var epsilon: Float = 1e-8

  /// An optimizer of the package, on one thread. The learning rate is set at every step.
  func configured<Optimizer: AdamOptimizer>(
    _ make: (Float, Float, Float, Float, Float, Bool, Int?) -> Optimizer
  ) -> Optimizer {
    let optimizer = make(0, beta1, beta2, epsilon, 0, true, nil)
    optimizer.threadCount = 1
    return optimizer
  }
}

extension MomentRounding where Self == TableRounding {
  /// 255 levels from −1 to 1.
  static var linear: TableRounding {
    TableRounding(values: (-127...127).map { Float($0) / 127 }, scope: .wholeTensor)
  }
  /// 256 levels from 0 to 1.
  static var linearUnsigned: TableRounding {
    TableRounding(values: (0...255).map { Float($0) / 255 }, scope: .wholeTensor)
  }

  static func dynamic(_ scope: TableRounding.Scope) -> TableRounding { TableRounding(.dynamic8, scope: scope) }

  /// The package's table, but with the published rounding, which lets small second moments become zero.
  static func dynamicUnsigned(_ scope: TableRounding.Scope) -> TableRounding {
    TableRounding(values: Codebook.dynamic8Unsigned.values, scope: scope)
  }
}
