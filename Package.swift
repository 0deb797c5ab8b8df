// swift-tools-version: 6.2
import PackageDescription

/// Settings of every Swift target: nothing is unsafe, implicit or re-exported by accident.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

/// Tests follow the same rules, except that they may touch memory without saying so each time.
let testing: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
]

/// Plugins find the compiler's symbols in the program that loads them, and know it by its build ID. The flags are on programs
/// only: libraries that other packages use must be free of unsafe flags.
let hostOfPlugins: [LinkerSetting] = [
  .unsafeFlags(["-Xlinker", "--export-dynamic", "-Xlinker", "--build-id=sha1"])
]

/// A module of the compiler and, where `tests` says so, its unit tests.
func module(
  _ name: String, _ dependencies: [Target.Dependency], tests: [Target.Dependency]? = [],
  testData: [String] = [], resources: [Resource] = []
) -> [Target] {
  var targets: [Target] = [
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
  ]
  if let tests {
    targets.append(
      .testTarget(
        name: "\(name)Tests", dependencies: [.target(name: name)] + dependencies + tests,
        exclude: testData, swiftSettings: testing))
  }
  return targets
}

/// The names of the built-in passes: one folder each under `Plugins/`.
let plugins = [
  "FoldNormGains", "CentreNorms", "RotationFusion", "SmoothFusion", "InjectOutliers",
  "AWQ", "LowRankAbsorb", "QuantizeTensors", "MixedPrecision", "ClipSearch", "FitValues", "GPTQ",
  "LowerKernels",
  "EmitC",
]

/// A pass: one module that sees the kit and nothing else, with its tests beside it. It has no access to what is for this package
/// alone, so it compiles as a stranger's would.
func passPlugin(_ name: String, testedWith others: [String] = []) -> [Target] {
  [
    .target(
      name: name, dependencies: ["IRCPassKit"], path: "Plugins/\(name)", exclude: ["Tests"],
      packageAccess: false, swiftSettings: strict),
    .testTarget(
      name: "\(name)Tests",
      dependencies: [.target(name: name), "IRCPassManager", "IRCTestSupport"]
        + others.map { .target(name: $0) },
      path: "Plugins/\(name)/Tests", swiftSettings: testing),
  ]
}

let core: [Target] =
  module("IRCSupport", ["CSHA256"], tests: ["IRCTestSupport"])
  + module("IRCBench", ["IRCSupport", "CKernels"], resources: [.embedInCode("peers.py")])
  + module("IRCTensor", ["IRCSupport", "CBLAS", "CKernels"])
  + module("IRCQuant", ["IRCSupport", "IRCTensor", "CKernels"])
  + module(
    "IRCGraph", ["IRCSupport", "IRCTensor"], tests: ["IRCOps", "IRCTestSupport"])
  + module(
    "IRCOps", ["IRCSupport", "IRCTensor", "IRCQuant", "IRCGraph", "CKernels"],
    tests: ["IRCTestSupport"])
  + module(
    "IRCExecution", ["IRCSupport", "IRCTensor", "IRCQuant", "IRCGraph", "IRCOps", "CKernels"],
    tests: ["IRCTestSupport"])
  + module(
    "IRCTokenizer", ["IRCSupport"], tests: ["IRCTestSupport"],
    testData: ["Golden", "golden.py", "decompositions.py"])
  + module(
    "IRCFrontend", ["IRCSupport", "IRCTensor", "IRCGraph", "IRCOps", "IRCTokenizer"],
    tests: ["IRCTestSupport", "IRCExecution"])
  + module(
    "IRCCodegen",
    ["IRCSupport", "IRCTensor", "IRCQuant", "IRCGraph", "IRCOps", "IRCExecution", "CKernels"],
    tests: ["IRCTestSupport"])
  + module(
    "IRCPassKit",
    ["IRCSupport", "IRCTensor", "IRCQuant", "IRCGraph", "IRCOps", "IRCExecution", "IRCCodegen"])
  + module(
    "IRCPassManager",
    [
      "IRCPassKit", "IRCSupport", "IRCGraph", "IRCExecution", "IRCTensor", "IRCQuant", "IRCOps",
      "IRCCodegen", "CIRCPlugin", "CKernels",
    ])
  + module(
    "IRCPipeline",
    ["IRCSupport", "IRCGraph", "IRCCodegen", "IRCPassKit", "IRCPassManager", "CYAML"],
    tests: ["IRCTestSupport"])
  + module(
    "IRCDriver",
    [
      "IRCSupport", "IRCTensor", "IRCQuant", "IRCGraph", "IRCOps", "IRCExecution", "IRCTokenizer",
      "IRCFrontend", "IRCCodegen", "IRCPassKit", "IRCPassManager", "IRCPipeline",
    ], tests: ["IRCTestSupport"])

/// What the tests of a pass need beside it: passes that they run before or after it, unless a comment says otherwise.
let companions = [
  // Smoothing is shown to take away what was injected.
  "SmoothFusion": ["InjectOutliers"],
  "AWQ": ["InjectOutliers"],
  // Rotation follows the folding of gains.
  "RotationFusion": ["FoldNormGains"],
  // Centring makes way for rotations.
  "CentreNorms": ["FoldNormGains", "RotationFusion"],
  // A branch is shown to help rounding.
  "LowRankAbsorb": ["QuantizeTensors"],
  // Both change what rounding to nearest left.
  "ClipSearch": ["QuantizeTensors"],
  // Values are fitted before codes are chosen, and compiled.
  "FitValues": ["QuantizeTensors", "GPTQ", "LowerKernels"],
  "GPTQ": ["QuantizeTensors", "ClipSearch", "LowerKernels"],
  // Names of formats are held against those of the benchmark that measures them.
  "MixedPrecision": ["QuantizeTensors", "IRCBench"],
]
let passes: [Target] = plugins.flatMap { passPlugin($0, testedWith: companions[$0] ?? []) }

let package = Package(
  name: "irc",
  products: [
    .executable(name: "irc", targets: ["irc"]),
    .library(name: "IRCPassKit", targets: ["IRCPassKit"]),
    .library(name: "IRCCommandLine", targets: ["IRCCommandLine"]),
    .plugin(name: "LowerModels", targets: ["LowerModels"]),
    .plugin(name: "LowerModelsCommand", targets: ["LowerModelsCommand"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: core + passes + [
    .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    .systemLibrary(name: "CBLAS", providers: [.apt(["libopenblas-dev"])]),
    .target(name: "CSHA256"),
    .target(name: "CKernels", exclude: ["README.md"]),
    .testTarget(
      name: "CKernelsTests", dependencies: ["CKernels", "IRCTestSupport"],
      exclude: ["Cross", "Threads"], swiftSettings: testing),
    .target(
      name: "IRCTestSupport",
      dependencies: ["IRCSupport", "IRCTensor", "IRCGraph", "IRCOps", "IRCExecution"],
      path: "Tests/Support", swiftSettings: testing),
    .target(name: "CIRCPlugin", exclude: ["include/irc_plugin.rs"]),
    // They run the installed irc and do not build it: a package that lowers a model needs no BLAS to be built.
    .plugin(name: "LowerModels", capability: .buildTool(), path: "BuildTools/LowerModels"),
    .plugin(
      name: "LowerModelsCommand",
      capability: .command(
        intent: .custom(
          verb: "lower-models", description: "Lower model.yaml of every target that has one."),
        permissions: [
          .writeToPackageDirectory(reason: "The C files come into the folders of their targets.")
        ]), path: "BuildTools/LowerModelsCommand"),
    .target(
      name: "IRCCommandLine",
      dependencies: [
        "IRCDriver", "IRCPipeline", "IRCPassManager", "IRCPassKit", "IRCCodegen", "IRCExecution",
        "IRCGraph", "IRCSupport", "IRCBench",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ] + plugins.map { .target(name: $0) }, swiftSettings: strict),
    .executableTarget(
      name: "irc", dependencies: ["IRCCommandLine"], swiftSettings: strict,
      linkerSettings: hostOfPlugins),
    // The example's source, compiled with the rest so that it stays right; it is a package of its own.
    .executableTarget(
      name: "own-compiler", dependencies: ["IRCCommandLine", "IRCPassKit"],
      path: "examples/own-compiler/Sources", packageAccess: false, swiftSettings: strict,
      linkerSettings: hostOfPlugins),
    .executableTarget(
      name: "transform-benchmark", dependencies: ["IRCSupport", "IRCTensor", "IRCGraph", "IRCOps"],
      path: "Tests/Benchmarks/Sources/TransformBenchmark", swiftSettings: testing),
    .executableTarget(
      name: "gptq-benchmark",
      dependencies: [
        "IRCSupport", "IRCTensor", "IRCPassKit", "IRCPassManager", "QuantizeTensors", "GPTQ",
        "CBLAS",
      ],
      path: "Tests/Benchmarks/Sources/GPTQBenchmark", swiftSettings: testing),
    .executableTarget(
      name: "fitted-benchmark", dependencies: ["CKernels", "CLookUp", "IRCTensor", "IRCQuant"],
      path: "Tests/Benchmarks/Sources/FittedBenchmark", swiftSettings: testing),
    .target(name: "CLookUp", path: "Tests/Benchmarks/Sources/CLookUp"),
    .executableTarget(
      name: "svd-benchmark", dependencies: ["CBLAS", "IRCSupport", "IRCTensor"],
      path: "Tests/Benchmarks/Sources/SVDBenchmark", swiftSettings: testing),
    .executableTarget(
      name: "branch-benchmark",
      dependencies: [
        "IRCDriver", "IRCCodegen", "IRCExecution", "IRCGraph", "IRCOps", "IRCQuant", "IRCSupport",
        "IRCTensor",
      ],
      path: "Tests/Benchmarks/Sources/BranchBenchmark", swiftSettings: testing),
    .testTarget(
      name: "DocumentationTests",
      dependencies: ["IRCPassKit", "IRCPassManager", "IRCTestSupport"], swiftSettings: testing),
    .testTarget(
      name: "EndToEndTests",
      dependencies: ["IRCDriver", "IRCTestSupport"]
        + plugins.map { .target(name: $0) }, swiftSettings: testing),
  ],
  cLanguageStandard: .c11
)
