// swift-tools-version: 6.2
import PackageDescription

/// Square roots must not call libm: on Linux clang's default says that math functions set errno.
let noMathErrno: SwiftSetting = .unsafeFlags(["-Xcc", "-fno-math-errno"])

/// Users unit-test in debug builds, where unoptimised loops over arrays are 50 times slower.
let optimized: SwiftSetting = .unsafeFlags(["-O"], .when(configuration: .debug))

/// Without all files at once, what one of them has from another is called in the innermost loops.
let asAWhole: SwiftSetting = .unsafeFlags(
  ["-wmo", "-disable-batch-mode", "-num-threads", "2"], .when(configuration: .debug))

/// `-Xarch_x86_64` lets the same manifest build on arm64, where these modules are empty.
func instructionSet(_ flags: String...) -> SwiftSetting {
  .unsafeFlags(flags.flatMap { ["-Xcc", "-Xarch_x86_64", "-Xcc", $0] })
}

let package = Package(
  name: "LowBitOptimizers",
  platforms: [.macOS(.v13), .iOS(.v16), .tvOS(.v16), .watchOS(.v9), .visionOS(.v1)],
  products: [
    .library(name: "LowBitOptimizers", targets: ["LowBitOptimizers"]),
    .library(name: "BlockQuantization", targets: ["BlockQuantization"]),
  ],
  targets: [
    .target(name: "TileKernels", swiftSettings: [optimized, asAWhole, noMathErrno]),
    .target(
      name: "TileKernelsPortable", dependencies: ["TileKernels"], swiftSettings: [optimized, asAWhole, noMathErrno]),
    .target(
      name: "TileKernelsAVX2", dependencies: ["TileKernels"],
      swiftSettings: [optimized, asAWhole, noMathErrno, instructionSet("-mavx2", "-mfma")]),
    .target(
      name: "TileKernelsAVX512", dependencies: ["TileKernels"],
      swiftSettings: [
        optimized, asAWhole, noMathErrno,
        instructionSet("-mavx2", "-mfma", "-mbmi2", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"),
      ]),
    .target(
      name: "TileKernelsVBMI", dependencies: ["TileKernels", "TileKernelsAVX512"],
      swiftSettings: [
        optimized, asAWhole, noMathErrno,
        instructionSet(
          "-mavx2", "-mfma", "-mbmi2", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512vbmi"),
      ]),
    .target(
      name: "BlockQuantization",
      dependencies: ["TileKernels", "TileKernelsPortable", "TileKernelsAVX2", "TileKernelsAVX512", "TileKernelsVBMI"],
      swiftSettings: [optimized]),
    .target(name: "LowBitOptimizers", dependencies: ["BlockQuantization", "TileKernels"], swiftSettings: [optimized]),
    .target(name: "ProgramSupport", swiftSettings: [optimized]),
    .executableTarget(
      name: "lowbit-train", dependencies: ["LowBitOptimizers", "ProgramSupport"],
      swiftSettings: [optimized, noMathErrno]),
    .executableTarget(
      name: "lowbit-bench", dependencies: ["LowBitOptimizers", "ProgramSupport", "TileKernels"],
      swiftSettings: [optimized]),
    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: [optimized]),
    .testTarget(
      name: "BlockQuantizationTests",
      dependencies: ["BlockQuantization", "ProgramSupport", "TestSupport", "TileKernels"],
      resources: [.copy("Golden")], swiftSettings: [optimized]),
    .executableTarget(
      name: "CheckpointWorker", dependencies: ["LowBitOptimizers", "TestSupport"], path: "Tests/CheckpointWorker",
      swiftSettings: [optimized]),
    .testTarget(
      name: "LowBitOptimizersTests",
      dependencies: ["LowBitOptimizers", "TestSupport", "CheckpointWorker", "TileKernels"],
      resources: [.copy("Golden")], swiftSettings: [optimized]),
    .testTarget(name: "ProgramSupportTests", dependencies: ["ProgramSupport"]),
    .testTarget(name: "lowbit-trainTests", dependencies: ["lowbit-train", "ProgramSupport", "TestSupport"]),
    .testTarget(name: "lowbit-benchTests", dependencies: ["lowbit-bench", "ProgramSupport", "TestSupport"]),
  ]
)
