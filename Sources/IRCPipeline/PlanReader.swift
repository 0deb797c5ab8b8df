import IRCPassKit
import IRCPassManager
import IRCSupport

/// A model file, read up to its pipeline: plans for this pipeline and for others start from it.
struct PlanReader {
  /// A plan as far as it could be made: when there are problems, some of it is a stand-in.
  struct Draft {
    var plan: CompilationPlan
    /// What is wrong with the pipeline, its files and the passes' options.
    var problems: [Diagnostic]
    /// What `--set` asks of passes that this pipeline does not have.
    var settingProblems: [Diagnostic]
  }

  /// What is wrong with the model file and with `--set`, the passes' options left out.
  let problems: [Diagnostic]
  private let path: String
  private let registry: PassRegistry
  private let shipped: ShippedFiles
  private let overrides: Overrides
  private let files: SourceFiles
  private let reading: ModelReading

  /// Reads the model file.
  ///
  /// - Parameter more: what is wrong with the rest of the command line, to be reported with the file if that cannot be read.
  /// - Throws: `DiagnosticList` when there is no model file to go on with.
  init(
    _ path: String, overrides: Overrides, registry: PassRegistry, shipped: ShippedFiles,
    more: [Diagnostic] = []
  ) throws {
    var files = SourceFiles()
    guard var root = files.document(at: path, from: nil) else {
      var list = ProblemList()
      list.add(files.problems + overrides.problems + more)
      try list.report(files: [path, "--set"])
      throw DiagnosticList(Diagnostic("file.unreadable", "cannot read '\(path)'"))
    }
    overrides.apply(to: &root)
    var found: [Diagnostic] = []
    reading = ModelReading(root, path: path, &found)
    problems = found + overrides.problems
    self.path = path
    self.registry = registry
    self.shipped = shipped
    self.overrides = overrides
    self.files = files
  }

  /// What the model file says under `pipeline`, if it is there.
  var pipeline: OptionValue? { reading.pipeline }

  /// The plan that runs `pipeline`, with the passes of `prefix` before it.
  func draft(_ pipeline: OptionValue?, prefix: [PassRequest] = []) -> Draft {
    var expander = PipelineExpander(
      shipped: shipped, emit: reading.emit, target: reading.target, files: files)
    if let pipeline { expander.expand(pipeline, in: path) }
    var requests = prefix + expander.requests
    requests.number()

    // A pass that is missing because its pipeline could not be read is no error of the argument.
    var overrides = overrides
    let known = overrides.problems.count
    if pipeline != nil, expander.problems.isEmpty, expander.files.problems.isEmpty {
      overrides.apply(to: &requests)
    }
    var loader = PluginLoader(registry)
    for list in [reading.plugins].compactMap({ $0 }) + expander.plugins { loader.load(list) }
    // A pass that is not there because its plugin is not is reported once, with the plugin.
    var binder = PassBinder(
      registry: loader.registry, isComplete: loader.problems.isEmpty, shipped: shipped,
      files: expander.files)
    binder.bind(requests)
    return Draft(
      plan: CompilationPlan(
        model: reading.model, passes: binder.bound, registry: loader.registry,
        files: binder.files.paths, notes: reading.notes, pipelineSpan: pipeline?.span),
      problems: loader.problems + expander.problems + binder.problems + binder.files.problems,
      settingProblems: Array(overrides.problems.dropFirst(known)))
  }
}
