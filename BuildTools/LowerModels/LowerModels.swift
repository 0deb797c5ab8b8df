import Foundation
import PackagePlugin

/// Lowers every `model.yaml` of a target into the folder that it lies in, before each build that SwiftPM plans.
///
/// It keeps plans, and runs the plugin again when a file of the package comes or goes, but not when one changes (as of 6.3): with
/// `--disable-build-manifest-caching` it plans each time.
///
/// SwiftPM compiles no C files that plugins make elsewhere (as of 6.3 it says "C source file generation not enabled"), so the files
/// have to lie among the target's sources. What does not change is not touched, so nothing is compiled again without need.
@main
struct LowerModels: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
    let models = ModelFiles.of(target)
    if models.isEmpty {
      Diagnostics.error("target '\(target.name)' has no model.yaml")
      return []
    }
    let irc = try ModelFiles.irc()
    return models.map { model in
      .prebuildCommand(
        displayName: "Lowering \(model.path)", executable: irc,
        arguments: ModelFiles.arguments(lowering: model) + ["--quiet"],
        // SwiftPM wants a folder for files that it should look for; there are none.
        outputFilesDirectory: context.pluginWorkDirectoryURL.appending(path: "none"))
    }
  }
}
