// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "own-compiler",
  dependencies: [.package(name: "irc", path: "../..")],
  targets: [
    .executableTarget(
      name: "own-compiler",
      dependencies: [
        .product(name: "IRCCommandLine", package: "irc"),
        .product(name: "IRCPassKit", package: "irc"),
      ],
      path: "Sources",
      // For plugins beside the passes that are built in; without plugins it is not needed.
      linkerSettings: [
        .unsafeFlags(["-Xlinker", "--export-dynamic", "-Xlinker", "--build-id=sha1"])
      ])
  ]
)
