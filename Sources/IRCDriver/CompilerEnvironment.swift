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
  /// Results of earlier runs; nil when nothing is to be taken from there or kept.
  package let cache: ContentCache?

  /// Gathers the parts.
  ///
  /// - Parameters:
  ///   - plugins: those that are linked into the program.
  ///   - files: plugins in files, which are loaded.
  ///   - executable: path of the running program; the shipped files are looked up from there.
  package init(
    plugins: [any Plugin.Type], files: [String] = [], executable: String, reporter: Reporter,
    cache: ContentCache? = nil
  ) throws {
    registry = try PassRegistry(plugins).loading(files)
    shipped = ShippedFiles(
      directory: ShippedFiles.pipelinesDirectory(executable: executable))
    self.reporter = reporter
    self.cache = cache
  }

  /// Reads a model file with everything that it includes.
  package func plan(
    _ path: String, settings: [String] = [], output: String? = nil
  ) throws -> CompilationPlan {
    try checkIsFile(path)
    return try CompilationPlan(
      reading: path, settings: settings, output: output, registry: registry, shipped: shipped)
  }

  /// Reads a model file once for each of several pipelines; see `CompilationPlan.comparing`.
  package func plans(
    _ path: String, pipelines: String, schemes: String? = nil, prefix: String?,
    settings: [String] = []
  ) throws -> [CompilationPlan] {
    try checkIsFile(path)
    return try CompilationPlan.comparing(
      path, pipelines: pipelines, schemes: schemes, prefix: prefix, settings: settings,
      registry: registry, shipped: shipped)
  }

  /// Complains of a folder in the place of a model file, with the model file that would be meant.
  private func checkIsFile(_ path: String) throws {
    guard isDirectory(path) else { return }
    throw Diagnostic(
      "model.folder", "'\(path)' is a folder, and only a model file says what to do with it",
      hint: """
        write these lines into a file model.yaml, and give that
            irc: 1
            source: \(path)
            pipeline: rtn-w8a8
        """)
  }
}
