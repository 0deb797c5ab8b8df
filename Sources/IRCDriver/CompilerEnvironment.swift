package import IRCPassKit
package import IRCPassManager
package import IRCPipeline
import IRCSupport

/// What every command starts from: the passes, the shipped files and a way to talk to the user.
package struct CompilerEnvironment: Sendable {
  /// Version of the compiler, as manifests name it.
  package static let version = "0.1.0"

  /// Every pass that a pipeline can name.
  package let registry: PassRegistry
  /// Pipelines and schemes that come with the compiler.
  package let shipped: ShippedFiles
  /// Where progress goes.
  package let reporter: Reporter

  /// Gathers the parts.
  ///
  /// - Parameter executable: path of the running program; the shipped files are looked up from there.
  package init(passes: [any Pass.Type], executable: String, reporter: Reporter) throws {
    registry = try PassRegistry(passes)
    shipped = ShippedFiles(
      directory: ShippedFiles.pipelinesDirectory(executable: executable))
    self.reporter = reporter
  }

  /// Reads a model file with everything that it includes.
  package func plan(
    _ path: String, settings: [String] = [], output: String? = nil
  ) throws -> CompilationPlan {
    try CompilationPlan(
      reading: path, settings: settings, output: output, passes: registry.passes, shipped: shipped)
  }
}
