import IRCCodegen
import IRCExecution
import IRCFrontend
import IRCPassManager
package import IRCPipeline
import IRCSupport

/// Several pipelines on one model, measured on one text: what `irc compare` shows.
///
/// Each pipeline is lowered once, into a folder that goes away; what that run leaves is emitted and simulated. Finished rows are kept
/// in the cache of the environment.
package final class Comparison {
  /// What is compared, and on what.
  package struct Request: Sendable {
    /// The model file.
    package var model: String
    /// Names of pipelines, with commas between them.
    package var pipelines: String
    /// Names of schemes that each pipeline goes with, with commas between them; nil where the names of pipelines say it.
    package var schemes: String?
    /// Passes that run before each pipeline; nil for none.
    package var prefix: String?
    /// Arguments of `--set`.
    package var settings: [String]
    /// The text; see `Subject.windows`.
    package var data: String
    /// Ids predicted of each window at most, as in `EvaluationText`.
    package var context: Int?
    /// How many windows to take; nil for all.
    package var windows: Int?
    /// Whether passes that preserve the function are checked.
    package var functionCheck: FunctionCheckMode
    /// Whether the divergence of predictions from those of the float model is measured as well.
    package var measuresDivergence: Bool
    /// Whether logits are compared as well: of the simulation with the float model, and of the library with the simulation.
    package var comparesLogits: Bool

    /// Gathers what the command line says.
    package init(
      model: String, pipelines: String, schemes: String? = nil, prefix: String?,
      settings: [String], data: String, context: Int?, windows: Int?,
      functionCheck: FunctionCheckMode, measuresDivergence: Bool = false,
      comparesLogits: Bool = false
    ) {
      self.model = model
      self.pipelines = pipelines
      self.schemes = schemes
      self.prefix = prefix
      self.settings = settings
      self.data = data
      self.context = context
      self.windows = windows
      self.functionCheck = functionCheck
      self.measuresDivergence = measuresDivergence
      self.comparesLogits = comparesLogits
    }
  }

  /// What is compared, and on what.
  package let request: Request
  /// A plan for each pipeline, in order.
  package let plans: [CompilationPlan]
  private let environment: CompilerEnvironment
  private var loaded: (model: LoadedModel, windows: [[Int32]])?

  /// Checks the request; nothing is computed yet.
  ///
  /// - Throws: `DiagnosticList` with everything that is wrong with the model file and the arguments, and for every pipeline that needs
  ///   calibration text where there is none, once whatever schemes it goes with.
  package init(_ request: Request, in environment: CompilerEnvironment) throws {
    self.request = request
    self.environment = environment
    plans = try environment.plans(
      request.model, pipelines: request.pipelines, schemes: request.schemes,
      prefix: request.prefix, settings: request.settings)
    let problems = plans.compactMap { $0.manager().calibrationProblem }
    var list = ProblemList()
    list.add(problems)
    try list.report(files: problems.compactMap { $0.location?.file })
  }

  /// The rows in order, the float model first; a pipeline that fails does not keep the others from running.
  ///
  /// - Parameter tell: receives each row as it finishes.
  /// - Throws: when the float model cannot be measured.
  package func run(tell: (ComparisonRow) throws -> Void) throws -> [ComparisonRow] {
    guard let source = plans.first?.model.source else { return [] }
    let keys = try environment.cache.map { cache in
      try ComparisonKeys(request, source: source, cache)
    }
    let (float, isCached) = try figures("float", keys?.float) { try measureFloat(source) }
    var rows = [
      ComparisonRow(pipeline: "float", outcome: .success(float), change: 0, isCached: isCached)
    ]
    try tell(rows[0])
    for plan in plans {
      let row = row(plan, float.perplexity, keys)
      rows.append(row)
      try tell(row)
    }
    return rows
  }

  private func row(
    _ plan: CompilationPlan, _ float: Double, _ keys: ComparisonKeys?
  ) -> ComparisonRow {
    let name = plan.model.pipeline
    func failed(_ problems: DiagnosticList) -> ComparisonRow {
      ComparisonRow(pipeline: name, outcome: .failure(problems), change: nil, isCached: false)
    }
    do {
      let (figures, isCached) = try figures(name, keys?.pipeline(plan)) { try measure(plan) }
      return ComparisonRow(
        pipeline: name, outcome: .success(figures), change: figures.perplexity / float - 1,
        isCached: isCached)
    } catch let problems as DiagnosticList {
      return failed(problems)
    } catch let problem as Diagnostic {
      return failed(DiagnosticList(problem))
    } catch {
      return failed(DiagnosticList(Diagnostic("compare.failed", "\(error)")))
    }
  }

  /// What the cache has, else what `measure` finds.
  private func figures(
    _ name: String, _ key: ContentKey?, _ measure: () throws -> ComparisonRow.Figures
  ) throws -> (ComparisonRow.Figures, isCached: Bool) {
    if let key, let entry = environment.cache?.get(key),
      let known = try? ComparisonRow.Figures(entry: entry)
    {
      environment.reporter.note("\(name): known from an earlier run")
      return (known, true)
    }
    environment.reporter.note("\(name): measuring")
    let figures = try measure()
    if let key, let cache = environment.cache {
      cache.keep { try cache.put(figures.entry, for: key) }
    }
    return (figures, false)
  }

  // MARK: - Measuring

  /// The model and the windows of the text, from the first row on that needs them.
  private func load(_ source: String) throws -> (model: LoadedModel, windows: [[Int32]]) {
    if let loaded { return loaded }
    let model = try ModelFolder.load(source)
    try model.checkFinite()
    let windows = try Subject(.float, model).windows(
      of: EvaluationText(
        data: request.data, context: request.context, windows: request.windows))
    loaded = (model, windows)
    return (model, windows)
  }

  private func measureFloat(_ source: String) throws -> ComparisonRow.Figures {
    let (model, windows) = try load(source)
    let tensors = model.accounting.used
    let bytes = tensors.reduce(0) { $0 + $1.bytes.count }
    return ComparisonRow.Figures(
      perplexity: try perplexity(GraphLanguageModel(model.graph), windows, .float),
      windows: windows.count, bitsPerWeight: bits(of: bytes, model), bytes: bytes, seconds: nil)
  }

  private func measure(_ plan: CompilationPlan) throws -> ComparisonRow.Figures {
    // Told before the work, not after it.
    if request.comparesLogits { try plan.model.target.checkRunsHere() }
    let (model, windows) = try load(plan.model.source)
    let scratch = try ScratchFolder()
    var plan = plan
    plan.model.output = scratch.path
    var options = Compilation.Options()
    options.functionCheck = request.functionCheck
    let clock = ContinuousClock()
    let start = clock.now
    // Exporters leave the graph as it is, so what was lowered is also the simulation.
    let result = try Compilation(plan, model, in: environment).lower(options)
    // What was taken from earlier runs counts with the time that it took then.
    let seconds = (clock.now - start) / .seconds(1) + result.savedSeconds
    let emission = result.emissions.first
    let simulation = try GraphLanguageModel(result.graph)
    return ComparisonRow.Figures(
      perplexity: try perplexity(simulation, windows, .simulation),
      divergence: request.measuresDivergence
        ? try divergence(simulation, GraphLanguageModel(model.graph), windows) : nil,
      windows: windows.count,
      bitsPerWeight: emission.map { emission in
        bits(of: emission.tensors.reduce(0) { $0 + $1.bytes }, model)
      },
      bytes: emission?.weightBytes, seconds: seconds,
      logits: request.comparesLogits
        ? try logits(simulation, of: plan, compiledIn: scratch, model, windows) : nil)
  }

  private func logits(
    _ simulation: GraphLanguageModel, of plan: CompilationPlan, compiledIn folder: ScratchFolder,
    _ model: LoadedModel, _ windows: [[Int32]]
  ) throws -> ComparisonRow.LogitDifferences {
    let library = try CompiledModel(
      folder: folder.path, names: ArtifactNames(model: plan.model.name), target: plan.model.target,
      cache: environment.cache, reporter: environment.reporter, scratch: folder)
    let reporter = environment.reporter
    func largest(_ compared: any LanguageModel, _ reference: any LanguageModel) throws -> Double {
      try Agreement(of: compared, with: reference, on: windows) {
        reporter.progress("compare logits", $0, of: $1)
      }.largestDifference
    }
    return ComparisonRow.LogitDifferences(
      simulation: try largest(simulation, GraphLanguageModel(model.graph)),
      compiled: try largest(library, simulation))
  }

  private func divergence(
    _ simulation: GraphLanguageModel, _ float: GraphLanguageModel, _ windows: [[Int32]]
  ) throws -> Double {
    let reporter = environment.reporter
    return try LogitDivergence(of: simulation, from: float, windows: windows) {
      reporter.progress("compare predictions", $0, of: $1)
    }.kullbackLeibler
  }

  private func perplexity(
    _ model: GraphLanguageModel, _ windows: [[Int32]], _ kind: Subject.Kind
  ) throws -> Double {
    let reporter = environment.reporter
    return try Perplexity.evaluate(model, windows: windows) {
      reporter.progress("evaluate \(kind.rawValue)", $0, of: $1)
    }.perplexity
  }

  /// Bits of `bytes` for each weight of the checkpoint that the network reads; tied ones count once.
  private func bits(of bytes: Int, _ model: LoadedModel) -> Double {
    let weights = model.accounting.used.reduce(0) { $0 + $1.count }
    return Double(bytes) * 8 / Double(max(1, weights))
  }
}
