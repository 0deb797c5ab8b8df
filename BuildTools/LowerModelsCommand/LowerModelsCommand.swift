import Foundation
import PackagePlugin

/// `swift package --allow-writing-to-package-directory lower-models`: lowers every `model.yaml` of the package's targets into the
/// folder that it lies in.
///
/// SwiftPM lists a target's sources before it runs anything, so this makes those of a fresh checkout. Where plugins may not write
/// into the package while it is built, as in the sandbox of macOS, it takes the place of the plugin `LowerModels`.
@main
struct LowerModelsCommand: CommandPlugin {
  func performCommand(context: PluginContext, arguments: [String]) async throws {
    let irc = try ModelFiles.irc()
    var count = 0
    for target in context.package.targets {
      for model in ModelFiles.of(target) {
        let process = Process()
        process.executableURL = irc
        process.arguments = ModelFiles.arguments(lowering: model) + arguments
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
          throw Failure(description: "'\(irc.path) lower' failed for '\(model.path)'")
        }
        count += 1
      }
    }
    if count == 0 { throw Failure(description: "no target has a model.yaml in its folder") }
  }

  /// Why the command gives up.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }
}
