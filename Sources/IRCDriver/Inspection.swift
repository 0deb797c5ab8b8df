import Foundation
import IRCCodegen
import IRCExecution
import IRCFrontend
package import IRCGraph
import IRCOps
import IRCPassKit
import IRCPassManager
import IRCPipeline
package import IRCSupport

/// What `irc inspect` shows of a path: a checkpoint, a graph or an output folder.
package struct Inspection {
  /// Lines for people.
  package let text: String
  /// The same as data; keys are documented in `docs/commands.md`.
  package let json: JSON

  /// What to show of a network.
  package enum View: Hashable, Sendable {
    /// Tensors of a checkpoint, the textual IR of anything else.
    case overview
    /// The textual IR.
    case graph
    /// Where weights can change without a change of the function.
    case sites
    /// The kernels that an emitted library calls, with what they read and predicted times.
    case kernels(KernelsReport.Question)
  }

  /// Looks at a path.
  ///
  /// - Parameters:
  ///   - view: what to show of a network.
  ///   - text: a text to measure sites on, beside the calibration text of a model file; nil measures nothing.
  /// - Throws: `Diagnostic` when the path is nothing that irc makes or reads.
  package init(
    _ path: String, view: View = .overview, on text: EvaluationText? = nil, settings: [String],
    in environment: CompilerEnvironment
  ) throws {
    let kind = try Kind(of: path)
    if let text {
      try self.init(measuring: path, kind, on: text, settings: settings, in: environment)
      return
    }
    if !settings.isEmpty, kind != .modelFile {
      throw Diagnostic(
        "inspect.needs-model-file", "'\(path)' is \(kind.rawValue), and --set changes a model file",
        hint: "leave --set out, or give a model.yaml")
    }
    if view != .overview, kind == .output {
      throw Diagnostic(
        "inspect.no-graph", "'\(path)' is \(kind.rawValue), which holds no graph",
        hint:
          "leave --graph, --sites and --kernels out, or give the model file that it was made from")
    }
    switch kind {
    case .graph:
      let operators = environment.registry.operators
      try self.init(graph: GraphFile.read(path, operators: operators), view)
    case .output: try self.init(manifest: "\(path)/manifest.json")
    case .checkpoint:
      let model = try ModelFolder.load(path)
      if view == .overview {
        self.init(checkpoint: model)
      } else {
        try self.init(graph: model.graph, view)
      }
    case .modelFile:
      var plan = try environment.plan(path, settings: settings)
      if case .kernels(let question) = view {
        try self.init(kernels: Compilation(plan, in: environment).plannedEmissions(), question)
        return
      }
      if view == .sites { plan.passes = plan.passesBeforeQuantization }
      try self.init(graph: Compilation(plan, in: environment).simulate().graph, view)
    }
  }

  /// What a path is.
  private enum Kind: String {
    case graph = "a graph"
    case output = "an output folder"
    case checkpoint = "a Hugging Face folder"
    case modelFile = "a model file"

    /// - Throws: `Diagnostic` for what holds nothing to show.
    init(of path: String) throws {
      func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/\(name)") }
      if path.hasSuffix(".irc") {
        self = .graph
      } else if path.hasSuffix(".weights") {
        throw Diagnostic(
          "inspect.weights", "'\(path)' belongs to an output folder",
          hint: "inspect the folder that it was written to")
      } else if !isDirectory(path) {
        self = .modelFile
      } else if has("manifest.json") {
        self = .output
      } else if has("config.json") {
        self = .checkpoint
      } else {
        throw Diagnostic(
          "inspect.nothing", "'\(path)' is a folder with neither 'config.json' nor 'manifest.json'",
          hint: "give a Hugging Face folder or an output folder of irc")
      }
    }
  }

  /// The sites of a network, with how evenly texts use their channels.
  private init(
    measuring path: String, _ kind: Kind, on text: EvaluationText, settings: [String],
    in environment: CompilerEnvironment
  ) throws {
    let plan: CompilationPlan?
    let subject: Subject
    switch kind {
    case .checkpoint:
      plan = nil
      subject = try Subject(folder: path)
    case .modelFile:
      var real = try environment.plan(path, settings: settings)
      real.passes = real.passesBeforeQuantization
      plan = real
      subject = try Subject(simulating: real, reading: text, in: environment)
    case .graph, .output:
      throw Diagnostic(
        "inspect.needs-model", "'\(path)' is \(kind.rawValue), and --data needs a tokenizer",
        hint: "give a Hugging Face folder or a model file")
    }
    guard let model = subject.model as? GraphLanguageModel else {
      preconditionFailure("neither the float model nor a simulation is compiled")
    }
    var report = SitesReport(model.interpreter.graph)
    if var calibration = plan?.model.calibration {
      calibration.window = min(calibration.window, model.contextLength ?? .max)
      let windows = try calibration.windows({ subject.tokenizer }, start: subject.startID)
      try report.measure("calibration", over: windows, environment.reporter)
    }
    try report.measure("text", over: subject.windows(of: text), environment.reporter)
    self.init(sites: report)
  }

  private init(sites report: SitesReport) {
    text = report.text
    json = report.json
  }

  private init(graph: Graph, _ view: View) throws {
    switch view {
    case .sites: self.init(sites: SitesReport(graph))
    case .kernels(let question):
      try self.init(
        kernels: [CEmitter(CEmitter.Options(name: graph.name)).plan(graph)], question)
    case .overview, .graph: self.init(ir: graph)
    }
  }

  /// The kernels of the first library among what would be written.
  private init(kernels emissions: [EmissionReport], _ question: KernelsReport.Question) throws {
    guard let emission = emissions.first else {
      throw Diagnostic(
        "inspect.no-kernels", "no exporter of this pipeline writes kernels",
        hint: "name 'c' under 'emit'")
    }
    let report = KernelsReport(emission, question)
    text = report.text
    json = report.json
  }

  private init(ir graph: Graph) {
    text = graph.text
    json = .object([
      ("kind", "graph"), ("name", .string(graph.name)), ("stage", .string(graph.stage.rawValue)),
      ("facts", .array(graph.facts.sorted().map { .string($0.description) })),
      ("operations", .integer(graph.operations.count)), ("ir", .string(graph.text)),
    ])
  }

  private init(checkpoint model: LoadedModel) {
    let rows = model.accounting.accounts.map { account -> (String, String, [Int], Int, String) in
      let role =
        switch account.role {
        case .used: "used"
        case .tied(let other): "tied to \(other)"
        case .ignored(let reason): "ignored: \(reason)"
        }
      let tensor = account.tensor
      return (
        tensor.name, tensor.type.name, tensor.shape, tensor.bytes.count, role
      )
    }
    let width = rows.map(\.0.count).max() ?? 0
    let lines = rows.map { name, type, shape, bytes, role in
      "\(name.padding(toLength: width, withPad: " ", startingAt: 0))  \(type) \(shape)  \(bytes) bytes  \(role)"
    }
    text =
      (["\(model.architecture), \(rows.count) tensors, \(model.checkpoint.byteCount) bytes"] + lines)
      .joined(separator: "\n") + "\n"
    json = .object([
      ("kind", "checkpoint"), ("architecture", .string(model.architecture)),
      ("bytes", .integer(model.checkpoint.byteCount)),
      (
        "tensors",
        .array(
          rows.map { name, type, shape, bytes, role in
            .object([
              ("name", .string(name)), ("type", .string(type)),
              ("shape", .array(shape.map { .integer($0) })),
              ("bytes", .integer(bytes)), ("role", .string(role)),
            ])
          })
      ),
    ])
  }

  private init(manifest path: String) throws {
    let value = try JSONValue(reading: path)
    json = .object([("kind", "artifact"), ("manifest", JSON(value))])
    text = try ManifestReport(value).text
  }
}

extension CompilationPlan {
  /// The passes up to the first that gives weights formats: behind it hardly anything can be transformed any more.
  fileprivate var passesBeforeQuantization: [PassInstance] {
    Array(passes.prefix { !$0.pass.effects.establishes.contains(.quantized) })
  }
}

/// A graph in a text file.
package enum GraphFile {
  /// Reads `path`.
  ///
  /// - Parameter operators: those that the graph can name.
  /// - Throws: `DiagnosticList` with every error of the file.
  package static func read(_ path: String, operators: OperatorRegistry) throws -> Graph {
    let file = try TextFile(reading: path)
    return try GraphParser.parse(file.text, file: path, registry: operators)
  }
}
