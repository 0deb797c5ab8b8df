import IRCCodegen
import IRCPassManager
import IRCPipeline
import IRCSupport

/// Names of the rows of a comparison in the cache.
struct ComparisonKeys {
  private static let kind = "comparison-row 5"
  private let request: Comparison.Request
  private let cache: ContentCache
  private let program: String
  private let checkpoint: String
  private let data: String

  /// Hashes what all rows depend on: the program, the model's folder and the text.
  ///
  /// - Throws: `Diagnostic` when one of them cannot be read.
  init(_ request: Comparison.Request, source: String, _ cache: ContentCache) throws {
    self.request = request
    self.cache = cache
    program = try FileDigests.digestOfProgram(knownTo: cache).description
    checkpoint = try FileDigests.digest(ofFolder: source, knownTo: cache).description
    data = try FileDigests.digest(of: request.data, knownTo: cache).description
  }

  /// The key of the float model.
  var float: ContentKey { key(plan: "", calibration: "") }

  /// The key of a pipeline: every pass with every option, whatever file or argument it came from.
  ///
  /// - Throws: `Diagnostic` when the calibration text cannot be read, or logits are asked for and there is no C compiler.
  func pipeline(_ plan: CompilationPlan) throws -> ContentKey {
    var calibration = ""
    if let asked = plan.model.calibration {
      let content = try FileDigests.digest(of: asked.source.path, knownTo: cache)
      calibration =
        "\(asked.source.kind) \(content) \(asked.skip) \(asked.tokens) \(asked.window) \(asked.seed)"
    }
    let passes = TextualPasses.text(of: plan.passes.map(\.pass), includingDefaults: true)
    return key(
      plan: """
        \(plan.model.name)
        \(plan.model.target.rawValue)
        \(request.functionCheck.rawValue)
        \(passes)
        """, calibration: calibration, compiler: try compiler(for: plan.model.target))
  }

  /// What logits of a compiled library depend on beside the plan; empty if they are not compared.
  ///
  /// - Throws: `Diagnostic` when there is no C compiler, as measuring would.
  private func compiler(for target: Target) throws -> String {
    guard request.comparesLogits else { return "" }
    let command = try CCompiler.find().command
    let digest = try FileDigests.digest(of: command[0], knownTo: cache)
    let host = target == .native ? HostProcessor.features : ""
    return "\(command.joined(separator: " "))\n\(digest)\n\(host)"
  }

  private func key(plan: String, calibration: String, compiler: String = "") -> ContentKey {
    ContentKey(
      Self.kind,
      [
        "version": CompilerEnvironment.version, "program": program, "checkpoint": checkpoint,
        "plan": plan, "calibration": calibration, "data": data,
        "documents": "\(TextSource(path: request.data).isDocuments)",
        "context": "\(request.context ?? EvaluationText.usualContext)",
        "logits": "\(request.comparesLogits)", "compiler": compiler,
        "divergence": "\(request.measuresDivergence)",
        "windows": request.windows.map { "\($0)" } ?? "all",
      ])
  }
}

extension ModelFile.Calibration.Source {
  /// How the file is read.
  var kind: String {
    switch self {
    case .text: "text"
    case .documents: "documents"
    case .ids: "ids"
    }
  }
}
