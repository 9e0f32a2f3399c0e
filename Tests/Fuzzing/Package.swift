// swift-tools-version: 6.2
import PackageDescription

// Apart from the package's own build, because libFuzzer brings its own main function. See README.md.
let package = Package(
  name: "Fuzzing",
  platforms: [.macOS(.v13)],
  dependencies: [.package(name: "LowBitOptimizers", path: "../..")],
  targets: [
    .executableTarget(
      name: "FuzzCheckpoints", dependencies: [.product(name: "LowBitOptimizers", package: "LowBitOptimizers")],
      swiftSettings: [.unsafeFlags(["-parse-as-library"])])
  ]
)
