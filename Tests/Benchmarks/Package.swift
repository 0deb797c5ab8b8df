// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that neither `swift build` nor `swift test` of the compiler knows of it.
let package = Package(
  name: "benchmarks",
  targets: [
    .systemLibrary(name: "COpenBLAS", path: "Sources/COpenBLAS"),
    .executableTarget(
      name: "lowering-benchmark", dependencies: ["COpenBLAS"], path: "Sources/LoweringBenchmark",
      swiftSettings: [
        .swiftLanguageMode(.v6), .strictMemorySafety(), .enableUpcomingFeature("ExistentialAny"),
      ]),
  ]
)
