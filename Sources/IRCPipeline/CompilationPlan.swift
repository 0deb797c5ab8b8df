package import IRCPassKit
package import IRCPassManager
import IRCSupport

/// Everything that a model file asks for, checked: the model, and the passes with their options.
package struct CompilationPlan: Sendable {
  /// What the model file says.
  package var model: ModelFile
  /// The passes in the order in which they run.
  package var passes: [PassInstance]
  /// Every YAML file that was read, the model file first: what a build depends on besides the model and its text.
  package var files: [String]

  /// Reads a model file with all that it includes.
  ///
  /// - Parameters:
  ///   - path: The model file.
  ///   - settings: Arguments of `--set`, such as `passes.quantize.scheme=w4a16`.
  ///   - output: Folder given with `-o`; relative to the working directory.
  ///   - passes: Every pass that there is.
  ///   - shipped: The shipped pipelines and schemes.
  /// - Throws: `DiagnosticList` with every error of every file.
  package init(
    reading path: String, settings: [String] = [], output: String? = nil,
    passes: [any Pass.Type], shipped: ShippedFiles
  ) throws {
    var problems = ProblemList()
    var overrides = Overrides(settings)
    var files = SourceFiles()
    guard var root = files.document(at: path, from: nil) else {
      problems.add(files.problems + overrides.problems)
      try problems.report(files: [path, "--set"])
      throw DiagnosticList(Diagnostic("file.unreadable", "cannot read '\(path)'"))
    }
    overrides.apply(to: &root)
    var found: [Diagnostic] = []
    let reading = ModelReading(root, path: path, &found)
    problems.add(found)

    var expander = PipelineExpander(
      shipped: shipped, emit: reading.emit, target: reading.target, files: files)
    if let pipeline = reading.pipeline { expander.expand(pipeline, in: path) }
    var requests = expander.requests
    requests.number()
    problems.add(expander.problems)

    // A pass that is missing because its pipeline could not be read is no error of the argument.
    if reading.pipeline != nil, expander.problems.isEmpty, expander.files.problems.isEmpty {
      overrides.apply(to: &requests)
    }
    problems.add(overrides.problems)
    var binder = PassBinder(passes: passes, shipped: shipped, files: expander.files)
    binder.bind(requests)
    problems.add(binder.problems + binder.files.problems)
    try problems.report(files: binder.files.paths + ["--set"])

    model = reading.model
    if let output { model.output = output }
    self.passes = binder.bound
    self.files = binder.files.paths
  }
}
