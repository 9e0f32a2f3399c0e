import LowBitOptimizers

// What the package does not offer, of "nubank/adamw4bit" (2026) and of "Memory Efficient Optimizers with 4-bit States".

extension MomentRounding where Self == TableRounding {
  /// The package's second moment of 4 bits.
  static var linear4: TableRounding { TableRounding(.linear4Unsigned, scope: .rowsAndColumns) }

  static func normalFloat4(_ scope: TableRounding.Scope) -> TableRounding { TableRounding(.normalFloat4, scope: scope) }

  /// The unsigned dynamic exponent map without its zero: 15 levels.
  static func dynamicNoZero(_ scope: TableRounding.Scope) -> TableRounding {
    TableRounding(values: Array(dynamicExponent4.dropFirst()), scope: scope)
  }

  /// The same with one more level where the zero was: that of the next decade.
  static var dynamicNoZero16: TableRounding {
    TableRounding(values: [0.00055] + dynamicExponent4.dropFirst(), scope: .blocks(128))
  }

  /// The 15 levels with the corrected scale.
  static var zeroExcludedEDEN: TableRounding {
    TableRounding(values: Array(dynamicExponent4.dropFirst()), scope: .blocks(128), correctsScale: true)
  }
}

extension MomentRounding where Self == PreconditionerRounding {
  static func zeroInPreconditioner(seed: UInt64) -> PreconditionerRounding {
    PreconditionerRounding(levels: dynamicExponent4, seed: seed)
  }
}

/// The unsigned dynamic exponent map of 4 bits.
private let dynamicExponent4: [Float] = [
  0, 0.00325, 0.00775, 0.02125, 0.04375, 0.06625, 0.08875, 0.15625, 0.26875, 0.38125, 0.49375, 0.60625, 0.71875,
  0.83125, 0.94375, 1,
]
