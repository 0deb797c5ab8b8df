// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "novels",
  dependencies: [.package(name: "irc", path: "../..")],
  targets: [
    // model.yaml, and beside it what irc makes of it.
    .target(
      name: "CNovels",
      exclude: [
        "model.yaml", "manifest.json", "novels-mamba.d", "novels-mamba.pc",
        "novels-mambaConfig.cmake",
      ],
      resources: [.copy("novels-mamba.weights")],
      publicHeadersPath: ".",
      // As the first lines of the C file ask; a contraction of a·b + c would round otherwise than the simulation.
      cSettings: [.unsafeFlags(["-O3", "-ffp-contract=off"])],
      plugins: [.plugin(name: "LowerModels", package: "irc")]),
    .executableTarget(name: "generate", dependencies: ["CNovels"]),
  ]
)
