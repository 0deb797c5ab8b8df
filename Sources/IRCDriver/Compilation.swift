import Foundation
package import IRCCodegen
import IRCExecution
import IRCFrontend
package import IRCGraph
import IRCPassKit
package import IRCPassManager
package import IRCPipeline
import IRCSupport
import IRCTensor

/// Runs the passes of a plan over its model.
package struct Compilation {
  /// What a user can ask for besides the plan.
  package struct Options: Sendable {
    /// Instances after which the graph is printed; nil: none, empty: all.
    package var printAfter: [String]?
    /// Instance to stop after.
    package var stopAfter: String?
    /// Whether passes that preserve the function are checked by running the graph.
    package var functionCheck = FunctionCheckMode.auto

    /// The defaults.
    package init() {}
  }

  /// What came out.
  package struct Result {
    /// The graph after the last pass that ran.
    package let graph: Graph
    /// Bytes of the checkpoint's tensors.
    package let sourceBytes: Int
    /// What each pass did.
    package let runs: [PassRun]
    /// Graphs that were asked for with `printAfter`, as text.
    package let dumps: [String]
    /// What passes measured activations on; nil if none did.
    let calibration: CalibrationUse?
    /// Names of the output files that changed.
    package internal(set) var changedFiles: [String] = []
    /// What the user was told on the way.
    var notes: [String] = []
    /// What was read and written; nil where nothing was written.
    var footprint: LoweringFootprint?

    /// Seconds that it would have taken longer without results of earlier runs.
    package var savedSeconds: Double {
      runs.reduce(0) { $0 + max(0, ($1.earlierSeconds ?? $1.seconds) - $1.seconds) }
    }

    /// Tells the user which passes did not have to run.
    func tellKnown(_ reporter: Reporter) {
      let known = runs.filter { $0.earlierSeconds != nil }.map(\.instance)
      if known.isEmpty { return }
      reporter.note("known from earlier runs: \(known.joined(separator: ", "))")
    }

    /// What exporters wrote.
    package var emissions: [EmissionReport] { runs.flatMap(\.emissions) }

    init(graph: Graph, sourceBytes: Int, _ watch: Watch, calibration: CalibrationUse? = nil) {
      self.graph = graph
      self.sourceBytes = sourceBytes
      runs = watch.recorder.runs
      dumps = watch.dumps
      self.calibration = calibration
    }
  }

  /// The plan.
  package let plan: CompilationPlan
  let model: LoadedModel
  let environment: CompilerEnvironment

  /// Loads the plan's model.
  ///
  /// - Throws: `DiagnosticList` with everything that is wrong with the model's folder.
  package init(_ plan: CompilationPlan, in environment: CompilerEnvironment) throws {
    self.init(plan, try ModelFolder.load(plan.model.source), in: environment)
  }

  /// Takes the plan's model from whoever has loaded it.
  init(_ plan: CompilationPlan, _ model: LoadedModel, in environment: CompilerEnvironment) {
    self.plan = plan
    self.environment = environment
    self.model = model
  }

  /// Runs every pass and writes the output folder.
  ///
  /// - Throws: `Diagnostic` `pipeline.no-exporter` when nothing would be written, before anything runs; else what passes throw.
  package func lower(_ options: Options = Options()) throws -> Result {
    if options.stopAfter == nil { try plan.checkExporter() }
    let files = OutputFiles(directory: plan.model.output)
    let inputs = plan.inputs(model, shipped: environment.shipped)
    let digests = DigestsInBackground(inputs.map(\.path), knownTo: environment.cache)
    let notes = plan.notes.map(\.rendered)
    notes.forEach(environment.reporter.note)
    var result = try run(plan.passes, files, options)
    result.notes = notes + result.notes
    // What an exporter staged before the stop goes away with the rest.
    if options.stopAfter != nil {
      files.discard()
      return result
    }
    let manifest = Manifest(
      plan: plan, model: model, result: result,
      inputs: Array(zip(inputs, try digests.wait())), outputs: files.summaries)
    try files.write("manifest.json", manifest.json().serialized(indent: 2) + "\n")
    let written = files.summaries.map { "\(plan.model.output)/\($0.name)" }
    try files.write(
      ArtifactNames(model: plan.model.name).dependencies,
      DependencyFile(targets: written, prerequisites: inputs.map(\.path)).text)
    for name in Manifest.files(in: plan.model.output) { files.remove(name) }
    let outputs = files.summaries
    result.changedFiles = try files.commit()
    result.footprint = LoweringFootprint(
      inputs: manifest.inputs.map { ($0.file.path, $0.digest) },
      outputs: outputs.map { ("\(plan.model.output)/\($0.name)", $0.digest) })
    return result
  }

  /// Runs every pass that writes nothing, and returns the graph: the simulation of the compiled network.
  ///
  /// - Throws: what passes throw; and, as `lower`, when a pass would change what was written before it, since that would be no
  ///   simulation of what is written.
  package func simulate(_ options: Options = Options()) throws -> Result {
    let problems = PassManager(plan.passes, registry: plan.registry, instruments: [])
      .orderProblems()
    if !problems.isEmpty { throw DiagnosticList(problems) }
    return try run(plan.passes.filter { !$0.info.emitsFiles }, nil, options)
  }

  private func run(
    _ passes: [PassInstance], _ files: OutputFiles?, _ options: Options
  ) throws -> Result {
    let watch = Watch(
      options, probe: probe, isLarge: model.checkpoint.byteCount > FunctionCheckMode.largestChecked)
    var notes: [String] = []
    if watch.skipsFunctionCheck {
      notes.append(
        "the function check is left out for a checkpoint of this size; --function-check always asks for it"
      )
    }
    notes.forEach(environment.reporter.note)
    let instruments =
      watch.instruments + [AnnouncingInstrument(environment.reporter, count: passes.count)]
    var manager = plan.manager(of: passes, instruments)
    var graph = model.graph
    graph.name = plan.model.name
    graph.renumber()
    let output = files.map(SharedOutput.init)
    let basis = ResultBasis(environment.cache)
    defer { basis?.save() }
    let calibration = CalibrationService(
      plan.model.calibration, of: model, environment.reporter,
      cache: basis.map { DiskStatisticsCache(basis: $0) },
      fingerprints: basis?.fingerprints ?? ContentFingerprints())
    manager.results = basis.map {
      PassResultCache(
        $0, model: facts, target: plan.model.target, calibration,
        operators: plan.registry.operators)
    }
    let services = PassServices(
      statistics: calibration.statistics(of:in:),
      channelStatistics: calibration.channelStatistics(of:in:),
      walk: calibration.walk(over:stops:visit:),
      logitProbe: calibration.logitProbe(of:tokens:),
      output: { try output?.files ?? PassServices.none.output() },
      kept: basis.map { ActionCache(basis: $0, calibration: calibration) })
    try manager.run(
      on: &graph, model: facts, target: plan.model.target, services: services,
      until: options.stopAfter)
    var result = Result(
      graph: graph, sourceBytes: model.checkpoint.byteCount, watch, calibration: calibration.use)
    result.notes = notes + (calibration.record?.notes ?? [])
    result.tellKnown(environment.reporter)
    return result
  }

  var facts: ModelDescription {
    ModelDescription(
      name: plan.model.name, vocabularySize: model.facts.vocabularySize,
      contextLength: model.facts.contextLength)
  }

  /// A few token ids, the same every time, to run graphs on.
  private var probe: [Int32] {
    let random = RandomNumbers(seed: 0x1C0DE)
    return (0..<8).map { Int32(random.integer($0, below: model.facts.vocabularySize)) }
  }
}

/// When passes that preserve the function are checked by running the graph before and after.
package enum FunctionCheckMode: String, Sendable, CaseIterable {
  /// For checkpoints small enough that it takes less time than lowering them.
  case auto
  case always, never

  /// Bytes of the largest checkpoint that `auto` checks.
  static let largestChecked = 256 << 20
}

/// The instruments that a command's options ask for, with what they record.
final class Watch {
  let recorder = RunRecorder()
  private(set) var dumps: [String] = []
  private(set) var instruments: [any Instrument] = []

  /// True if the check was left out because of the model's size.
  let skipsFunctionCheck: Bool

  /// - Parameters:
  ///   - probe: token ids for the function check; nil to take a few that every vocabulary has.
  ///   - isLarge: whether the check would take longer than lowering itself.
  init(_ options: Compilation.Options, probe: [Int32]?, isLarge: Bool = false) {
    skipsFunctionCheck = options.functionCheck == .auto && isLarge
    instruments = [VerifyInstrument(), recorder]
    if options.functionCheck != .never && !skipsFunctionCheck {
      instruments.append(FunctionCheckInstrument(probe: probe ?? [0, 1, 0, 1]))
    }
    if let names = options.printAfter {
      instruments.append(
        DumpInstrument(after: names.isEmpty ? nil : names) { [unowned self] in
          dumps.append($0)
        })
    }
  }
}

/// Hands the output folder to passes.
///
/// SAFETY: the pass manager runs one pass at a time, and only passes use it.
private final class SharedOutput: @unchecked Sendable {
  let files: OutputFiles

  init(_ files: OutputFiles) {
    self.files = files
  }
}

/// Tells the user which pass runs.
private final class AnnouncingInstrument: Instrument {
  private let reporter: Reporter
  private let count: Int
  private var done = 0

  init(_ reporter: Reporter, count: Int) {
    self.reporter = reporter
    self.count = count
  }

  func after(
    _ instance: PassInstance, _ before: Graph, _ graph: Graph, _ run: PassRun
  ) throws {
    done += 1
    reporter.progress("lower", done, of: count)
  }
}
