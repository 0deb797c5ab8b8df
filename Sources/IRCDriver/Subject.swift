import Foundation
import IRCCodegen
package import IRCExecution
import IRCFrontend
package import IRCPipeline
import IRCSupport
package import IRCTokenizer

/// A language model that a command was pointed at, ready to run: the float model of a folder, the simulation of a model
/// file, or the library compiled from it.
package struct Subject {
  /// Which of the three it is.
  package enum Kind: String, Sendable {
    case float, simulation, compiled
  }

  /// Which of the three it is.
  package let kind: Kind
  /// What runs.
  package let model: any LanguageModel
  /// The model's tokenizer.
  package let tokenizer: Tokenizer
  /// Id that begins a document.
  package let startID: Int32?
  /// Ids that end a text.
  package let endIDs: Set<Int32>

  /// The float model of a Hugging Face folder.
  package init(folder: String) throws {
    let loaded = try ModelFolder.load(folder)
    try loaded.checkFinite()
    try self.init(.float, loaded)
  }

  /// The simulation of what a model file asks for.
  ///
  /// - Parameter text: what is going to be read; a fault of it is told before anything runs.
  package init(
    simulating plan: CompilationPlan, reading text: EvaluationText? = nil,
    in environment: CompilerEnvironment
  ) throws {
    let compilation = try Compilation(plan, in: environment)
    let loaded = compilation.model
    // Told before the work, not after it.
    _ = try loaded.tokenizer.get()
    try text?.check(for: loaded)
    try loaded.checkFinite()
    let graph = try compilation.simulate().graph
    try self.init(
      .simulation, loaded,
      GraphLanguageModel(graph, contextLength: loaded.facts.contextLength))
  }

  /// What a model file asks for, lowered into its output folder, compiled and loaded.
  ///
  /// - Parameters:
  ///   - text, prompt: what is going to be read; a fault of theirs is told before anything is written.
  ///   - threads: how many are going to be asked for, if that is known.
  ///   - scratch: the output folder, if it is to go away with the subject.
  ///   - result: receives what lowering gave.
  package init(
    compiling plan: CompilationPlan, reading text: EvaluationText? = nil, prompt: String? = nil,
    threads: Int? = nil, in environment: CompilerEnvironment, scratch: ScratchFolder? = nil,
    result: (Compilation.Result) -> Void = { _ in }
  ) throws {
    // Told before the work, not after it.
    try plan.model.target.checkRunsHere()
    if let threads { try plan.checkRoom(for: threads) }
    let compilation = try Compilation(plan, in: environment)
    let tokenizer = try compilation.model.tokenizer.get()
    try text?.check(for: compilation.model)
    if let prompt, let limit = compilation.model.facts.contextLength {
      let ids = try tokenizer.encode(prompt, addSpecialTokens: true)
      try TokenGenerator.check(prompt: ids, context: limit)
    }
    result(try compilation.lower())
    let compiled = try CompiledModel(
      folder: plan.model.output, names: ArtifactNames(model: plan.model.name),
      target: plan.model.target, cache: environment.cache, reporter: environment.reporter,
      scratch: scratch)
    try self.init(.compiled, compilation.model, compiled)
  }

  /// The same, with so many threads if it is a compiled library; without a number with as many as the machine has processors. What is
  /// interpreted has its own.
  ///
  /// - Throws: `Diagnostic` `library.threads` when a library has no room for the number that is asked for.
  package func with(threads: Int?) throws -> Subject {
    guard let compiled = model as? CompiledModel else { return self }
    if let threads { try ThreadModel.checkRoom(for: threads, of: compiled.mostThreads) }
    return Subject(self, running: compiled.with(threads: threads))
  }

  /// Another subject's tokenizer and ids with a model of the same network.
  private init(_ other: Subject, running model: CompiledModel) {
    (kind, tokenizer, startID, endIDs) = (other.kind, other.tokenizer, other.startID, other.endIDs)
    self.model = model
  }

  /// What a path names: a folder is a float model, a file is a model file.
  ///
  /// A library to be measured is lowered into a folder of its own that goes away again; the model file's output stays as it is.
  ///
  /// - Parameter text: what is going to be read; a fault of it is told before anything runs.
  package static func open(
    _ path: String, compiled: Bool, settings: [String], reading text: EvaluationText,
    in environment: CompilerEnvironment
  ) throws -> Subject {
    if isDirectory(path) {
      if compiled || !settings.isEmpty {
        throw Diagnostic(
          "eval.needs-model-file",
          "'\(path)' is a folder, and only a model file says how to compile it",
          hint: "give a model.yaml whose 'source' is that folder")
      }
      return try Subject(folder: path)
    }
    guard compiled else {
      return try Subject(
        simulating: environment.plan(path, settings: settings), reading: text, in: environment)
    }
    let scratch = try ScratchFolder()
    return try Subject(
      compiling: environment.plan(path, settings: settings, output: scratch.path), reading: text,
      in: environment, scratch: scratch)
  }

  /// A model that was loaded, to be run as it is or as `model`.
  init(_ kind: Kind, _ loaded: LoadedModel, _ model: (any LanguageModel)? = nil) throws {
    self.kind = kind
    self.model =
      try model
      ?? GraphLanguageModel(loaded.graph, contextLength: loaded.facts.contextLength)
    tokenizer = try loaded.tokenizer.get()
    startID = loaded.startID ?? tokenizer.startID
    endIDs = Set(loaded.facts.endIDs.map { Int32($0) } + (tokenizer.endID.map { [$0] } ?? []))
  }

  /// The token ids of a text, cut into the windows that are predicted from a fresh state each; see `TextSource.windows`.
  ///
  /// - Throws: `Diagnostic` when the file is unreadable, predicts nothing, or has windows that the model has no room for.
  package func windows(of text: EvaluationText) throws -> [[Int32]] {
    try TextSource(path: text.data).windows(
      tokenizer, start: startID, context: text.context, limit: text.windows,
      contextLength: model.contextLength)
  }

  /// Perplexity over a text; see `windows(of:)`.
  ///
  /// - Throws: `Diagnostic` as there.
  package func perplexity(
    of text: EvaluationText, _ reporter: Reporter
  ) throws -> EvaluationReport {
    let windows = try windows(of: text)
    let clock = ContinuousClock()
    let start = clock.now
    let result = try Perplexity.evaluate(model, windows: windows) {
      reporter.progress("evaluate \(kind.rawValue)", $0, of: $1)
    }
    return EvaluationReport(
      kind: kind, data: text.data, context: text.length, windows: windows.count, result: result,
      seconds: (clock.now - start) / .seconds(1))
  }
}

extension LoadedModel {
  /// Id that begins a text, as config.json says.
  var startID: Int32? { facts.startID.map { Int32($0) } }
}

/// True if the path names a folder.
package func isDirectory(_ path: String) -> Bool {
  var isFolder: ObjCBool = false
  return unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    && isFolder.boolValue
}
