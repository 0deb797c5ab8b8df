import Foundation
import PackagePlugin

/// Lowers `model.yaml` of a target into the target's own folder, before each build that SwiftPM plans.
///
/// It keeps plans, and runs the plugin again when a file of the package comes or goes, but not when one changes (as of 6.3): with
/// `--disable-build-manifest-caching` it plans each time.
///
/// SwiftPM compiles no C files that plugins make elsewhere (as of 6.3 it says "C source file generation not enabled"), so the files
/// have to lie among the target's sources. What does not change is not touched, so nothing is compiled again without need.
@main
struct LowerModels: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
    let folder = target.directoryURL
    let model = folder.appending(path: "model.yaml")
    guard FileManager.default.fileExists(atPath: model.path) else {
      Diagnostics.error("target '\(target.name)' has no model.yaml")
      return []
    }
    return [
      .prebuildCommand(
        displayName: "Lowering \(target.name)/model.yaml", executable: try irc(),
        arguments: ["lower", model.path, "--output", folder.path, "--quiet"],
        // SwiftPM wants a folder for files that it should look for; there are none.
        outputFilesDirectory: context.pluginWorkDirectoryURL.appending(path: "none"))
    ]
  }

  /// The program that the variable IRC names, else the one on the path.
  private func irc() throws -> URL {
    let environment = ProcessInfo.processInfo.environment
    let folders = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
    let places =
      environment["IRC"].map { [$0] } ?? (folders + ["/usr/local/bin"]).map { "\($0)/irc" }
    guard let path = places.first(where: FileManager.default.isExecutableFile(atPath:)) else {
      throw Missing(places: places)
    }
    return URL(fileURLWithPath: path)
  }

  /// There is no program to run.
  struct Missing: Error, CustomStringConvertible {
    let places: [String]
    var description: String {
      "the program irc was not found as \(places.joined(separator: ", ")): install it, or name it with the variable IRC"
    }
  }
}
