import Foundation
public import IRCGraph
public import IRCSupport
public import IRCTokenizer

/// A trained network, read from a folder.
public struct LoadedModel: Sendable {
  /// The network; its parameters read the checkpoint.
  public var graph: Graph
  /// The weights, mapped.
  public let checkpoint: Checkpoint
  /// Name of the architecture, as in config.json.
  public let architecture: String
  /// What config.json says besides.
  public let facts: ModelFacts
  /// What became of each tensor of the checkpoint.
  public let accounting: TensorAccounting
  /// The tokenizer, or why the folder has none that can be read: only text needs one, so that is told when text is read.
  public let tokenizer: Result<Tokenizer, DiagnosticList>
}

/// A Hugging Face model folder: `config.json`, safetensors weights and a tokenizer.
public enum ModelFolder {
  /// Reads the configuration, opens the checkpoint and builds the graph.
  ///
  /// The graph is named after the folder. Input `ids` i32[tokens], output `logits` f32[tokens, vocabulary].
  ///
  /// - Throws: `DiagnosticList` with `checkpoint.*`, `config.*`, `json.*`, `file.unreadable`, or `tokenizer.vocabulary-mismatch` for
  ///   a tokenizer of another model; problems of the tensors and that of the tokenizer together.
  public static func load(
    _ folder: String, registry: FrontendRegistry = .standard
  ) throws -> LoadedModel {
    do {
      return try read(folder, registry)
    } catch let error as Diagnostic {
      throw DiagnosticList(error)
    } catch let error as OperatorError {
      throw DiagnosticList(
        Diagnostic(
          "checkpoint.shape", "the network cannot be built: \(error.message)",
          at: SourceLocation(file: folder), hint: "check the sizes in config.json"))
    }
  }

  private static func read(_ folder: String, _ registry: FrontendRegistry) throws -> LoadedModel {
    var folder = folder
    while folder.count > 1, folder.hasSuffix("/") { folder.removeLast() }
    try Checkpoint.checkFolder(folder)
    if !FileManager.default.fileExists(atPath: "\(folder)/config.json") {
      throw Diagnostic(
        "file.unreadable", "there is no '\(folder)/config.json'",
        hint: "give a Hugging Face model folder: config.json, model.safetensors and tokenizer.json")
    }
    let configuration = try ModelConfiguration(reading: "\(folder)/config.json")
    let architecture = configuration.architecture
    guard let frontend = registry[architecture] else {
      throw configuration.architectureError(
        "the architecture '\(architecture)' is not known",
        hint: nearestMatch(to: architecture, in: registry.architectures)
          .map { "did you mean '\($0)'?" },
        notes: ["known are \(registry.architectures.joined(separator: ", "))"])
    }
    let checkpoint = try Checkpoint(folder: folder)
    let name = folder.split(separator: "/").last.map(String.init) ?? folder
    var builder = ModelBuilder(name: name, checkpoint: checkpoint)
    let facts = try frontend.build(configuration, &builder)

    var problems: [Diagnostic] = []
    func attempt<Result>(_ body: () throws -> Result) throws -> Result? {
      do {
        return try body()
      } catch let error as Diagnostic {
        problems.append(error)
      } catch let error as DiagnosticList {
        problems += error.diagnostics
      }
      return nil
    }
    let finished = try attempt { try builder.finish() }
    let tokenizer = try self.tokenizer(in: folder)
    _ = try attempt {
      if case .success(let tokenizer) = tokenizer {
        try tokenizer.validate(vocabularySize: facts.vocabularySize)
      }
    }
    guard let (graph, accounting) = finished, problems.isEmpty else {
      throw DiagnosticList(problems)
    }
    return LoadedModel(
      graph: graph, checkpoint: checkpoint, architecture: architecture, facts: facts,
      accounting: accounting, tokenizer: tokenizer)
  }

  /// The tokenizer of the folder, or what is wrong with it.
  private static func tokenizer(in folder: String) throws -> Result<Tokenizer, DiagnosticList> {
    let path = Tokenizer.paths(in: folder)[0]
    if !FileManager.default.fileExists(atPath: path) {
      return .failure(
        DiagnosticList(
          Diagnostic(
            "tokenizer.missing",
            "the model's folder has no tokenizer.json, which reading text needs",
            at: SourceLocation(file: path),
            hint:
              "put the model's tokenizer.json there for calibration text, 'run' and 'eval'; without it passes can calibrate on token ids: 'calibration: {ids: FILE}'"
          )))
    }
    do {
      return .success(try Tokenizer(folder: folder))
    } catch let error as Diagnostic {
      return .failure(DiagnosticList(error))
    } catch let error as DiagnosticList {
      return .failure(error)
    }
  }
}
