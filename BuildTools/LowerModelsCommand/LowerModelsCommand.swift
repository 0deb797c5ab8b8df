import Foundation
import PackagePlugin

/// `swift package --allow-writing-to-package-directory lower-models`: lowers `model.yaml` of every target that has one into the target's
/// own folder.
///
/// SwiftPM lists a target's sources before it runs anything, so this makes those of a fresh checkout. Where plugins may not write
/// into the package while it is built, as in the sandbox of macOS, it takes the place of the plugin `LowerModels`.
@main
struct LowerModelsCommand: CommandPlugin {
  func performCommand(context: PluginContext, arguments: [String]) async throws {
    let irc = ProcessInfo.processInfo.environment["IRC"] ?? "irc"
    var count = 0
    for target in context.package.targets {
      let model = target.directoryURL.appending(path: "model.yaml")
      guard FileManager.default.fileExists(atPath: model.path) else { continue }
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments =
        [irc, "lower", model.path, "--output", target.directoryURL.path] + arguments
      try process.run()
      process.waitUntilExit()
      guard process.terminationStatus == 0 else {
        throw Failure(description: "'\(irc) lower' failed for target '\(target.name)'")
      }
      count += 1
    }
    if count == 0 { throw Failure(description: "no target has a model.yaml in its folder") }
  }

  /// Why the command gives up.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }
}
