#if arch(x86_64)
import Foundation
import _Builtin_intrinsics.intel.cpuid

/// What this CPU can run, as far as the operating system also saves the registers that it needs.
struct CPUFeatures: Sendable {
  /// With FMA, which all CPUs of the large makers have that have AVX2.
  let avx2: Bool
  /// The F, BW, DQ and VL groups, and BMI2.
  let avx512: Bool
  /// Byte permutations, on top of `avx512`.
  let vbmi: Bool

  static let current = CPUFeatures()

  private init() {
    let features = Self.leaf(1)
    let extendedFeatures = Self.leaf(7)
    let osUsesExtendedSave = features.c.bit(27)
    let listed = Self.featuresThatTheSystemLists()
    func systemLists(_ feature: Substring) -> Bool { listed?.contains(feature) ?? true }
    avx2 =
      osUsesExtendedSave && Self.osSaves(component: 2) && systemLists("avx2") && features.c.bit(28)
      && features.c.bit(12) && extendedFeatures.b.bit(5)
    // Mask registers, the upper halves of the first sixteen, and the other sixteen.
    let osSavesWideRegisters = (5...7).allSatisfy { Self.osSaves(component: $0) }
    let groups: [UInt32] = [8, 16, 17, 30, 31]
    avx512 =
      avx2 && osSavesWideRegisters && systemLists("avx512f") && groups.allSatisfy { extendedFeatures.b.bit($0) }
    vbmi = avx512 && extendedFeatures.c.bit(1)
  }

  /// Whether the save area that the operating system has enabled reaches to the end of a register component. (The
  /// direct question, `xgetbv`, has no spelling in Swift.)
  private static func osSaves(component: UInt32) -> Bool {
    let enabled = leaf(13)
    let component = leaf(13, component)
    return component.a > 0 && enabled.b >= component.b + component.a
  }

  /// The features that Linux lists for this processor, which it does only when it saves the registers; nil where that
  /// cannot be read.
  private static func featuresThatTheSystemLists() -> [Substring]? {
    #if os(Linux)
    guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else { return nil }
    return text.split(separator: "\n").first { $0.hasPrefix("flags") }?.split(separator: " ")
    #else
    return nil
    #endif
  }

  private struct Registers {
    var a: UInt32 = 0
    var b: UInt32 = 0
    var c: UInt32 = 0
    var d: UInt32 = 0
  }

  private static func leaf(_ number: UInt32, _ subleaf: UInt32 = 0) -> Registers {
    var registers = Registers()
    let known = __get_cpuid_count(number, subleaf, &registers.a, &registers.b, &registers.c, &registers.d)
    return known == 1 ? registers : Registers()
  }
}

extension UInt32 {
  fileprivate func bit(_ index: UInt32) -> Bool { self >> index & 1 == 1 }
}
#endif
