import IRCPassKit
package import IRCPassManager
package import IRCSupport

/// Everything that a model file asks for, checked: the model, and the passes with their options.
package struct CompilationPlan: Sendable {
  /// What the model file says.
  package var model: ModelFile
  /// The passes in the order in which they run.
  package var passes: [PassInstance]
  /// Every pass that the model file could have named, with those of its plugins.
  package let registry: PassRegistry
  /// Every YAML file that was read, the model file first: what a build depends on besides the model and its text.
  package var files: [String]
  /// What the user should know and is no error.
  package var notes: [Diagnostic]
  /// Where the pipeline was named.
  private let pipelineSpan: SourceSpan?

  /// Joins the parts of a plan.
  init(
    model: ModelFile, passes: [PassInstance], registry: PassRegistry, files: [String],
    notes: [Diagnostic] = [], pipelineSpan: SourceSpan? = nil
  ) {
    self.model = model
    self.notes = notes
    self.passes = passes
    self.registry = registry
    self.files = files
    self.pipelineSpan = pipelineSpan
  }

  /// Complains of a pipeline that writes no files, for commands that are there to write some.
  ///
  /// - Throws: `Diagnostic` `pipeline.no-exporter` where the pipeline was named.
  package func checkExporter() throws {
    if passes.contains(where: \.info.emitsFiles) { return }
    let message = "the pipeline writes nothing"
    let hint =
      model.emit.isEmpty
      ? "the model file's 'emit' names no exporter: write 'emit: [c]'"
      : "add 'emit: $emit' at the end of its passes"
    throw pipelineSpan?.error("pipeline.no-exporter", message, hint: hint)
      ?? Diagnostic("pipeline.no-exporter", message, hint: hint)
  }

  /// Reads a model file with all that it includes.
  ///
  /// - Parameters:
  ///   - path: The model file.
  ///   - settings: Arguments of `--set`, such as `passes.quantize.scheme=w4a16`.
  ///   - output: Folder given with `-o`; relative to the working directory.
  ///   - registry: Every pass that there is without the model file's plugins, which are loaded.
  ///   - shipped: The shipped pipelines and schemes.
  /// - Throws: `DiagnosticList` with every error of every file.
  package init(
    reading path: String, settings: [String] = [], output: String? = nil,
    registry: PassRegistry, shipped: ShippedFiles
  ) throws {
    let reader = try PlanReader(
      path, overrides: Overrides(settings), registry: registry, shipped: shipped)
    let draft = reader.draft(reader.pipeline)
    var problems = ProblemList()
    problems.add(reader.problems + draft.settingProblems + draft.problems)
    try problems.report(files: draft.plan.files + ["--set"])
    self = draft.plan
    if let output { model.output = output }
  }
}
