import ArgumentParser
import Foundation
import IRCDriver
import IRCPipeline
import IRCSupport

/// `irc compare`: several pipelines on one model, in one table.
struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare", abstract: "Compare pipelines on one model: perplexity, bits, bytes.",
    discussion: """
      The first row is the float model. Every pipeline is lowered into a folder that goes away again and evaluated as its \
      simulation; rows appear as they finish, and what was computed before is not computed again. A pipeline that fails \
      says so in its row, the others go on, and the exit code is 1.
      """)

  @Argument(help: "A model file; its own pipeline does not count.")
  var model: String
  @Option(help: "Pipelines as in a model file, with commas between them: names, or paths.")
  var pipelines: String
  @Option(
    help:
      "Schemes with commas between them: tries each pipeline with each, and shows a table of perplexities and one of bits."
  )
  var schemes: String?
  @Option(
    help: "Passes to put before each pipeline, as in 'fold-norm-gains,quantize{scheme: w8a8}'.")
  var prefix: String?
  @Option(help: "Text to predict: a .txt file, or a .jsonl file of {\"text\": …} documents.")
  var data: String
  @Option(
    name: .customLong("function-check"),
    help: "Check passes that preserve the function, as in 'lower': auto, always, never.")
  var functionCheck = FunctionCheckMode.auto
  @Flag(
    help:
      "Measure too how far predictions are from the float model's: the mean Kullback–Leibler divergence in nats a token."
  )
  var divergence = false
  @Flag(
    help: "Compare logits too: simulation with float model, compiled library with simulation.")
  var logits = false
  @OptionGroup var evaluation: EvaluationOptions
  @OptionGroup var overrides: Overrides
  @OptionGroup var caching: CacheOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if logits || divergence, schemes != nil, !common.json {
      throw ValidationError(
        "the table of '--schemes' has no room for '\(logits ? "--logits" : "--divergence")'; ask for --json, or name the pipelines with their schemes"
      )
    }
  }

  func run() throws {
    let comparison = try Comparison(
      Comparison.Request(
        model: model, pipelines: pipelines, schemes: schemes, prefix: prefix,
        settings: overrides.settings, data: data, context: evaluation.context,
        windows: evaluation.windows,
        functionCheck: functionCheck, measuresDivergence: divergence,
        comparesLogits: logits),
      in: common.environment(caching))
    var failures = schemes.map { ComparisonFailures(schemes: $0) }
    let show = printer(for: comparison.plans)
    let rows = try comparison.run { row in
      failures?.add(row)
      try show(row)
    }
    for problem in failures?.diagnostics ?? [] { StandardStream.error("\(problem)\n") }
    if common.json { try StandardStream.output(json(rows).serialized(indent: 2) + "\n") }
    if rows.contains(where: \.isFailed) { throw ExitCode(1) }
  }

  /// Prints rows as they finish, and what is wrong with those that fail; of a table with schemes that is told at the end.
  private func printer(for plans: [CompilationPlan]) -> (ComparisonRow) throws -> Void {
    let names = plans.map(\.model.pipeline)
    var matrix = schemes.map {
      ComparisonMatrix(pipelines: names, schemes: CompilationPlan.schemeNames($0))
    }
    let table = ComparisonTable(
      pipelines: names, measuresDivergence: divergence, comparesLogits: logits)
    var head = table.head
    return { row in
      if !common.json {
        try StandardStream.output(matrix?.text(adding: row) ?? head + table.text(of: row))
      }
      head = ""
      if schemes == nil, case .failure(let problems) = row.outcome {
        StandardStream.error(problems.description + "\n")
      }
    }
  }

  private func json(_ rows: [ComparisonRow]) -> JSON {
    let float = rows.first.flatMap { try? $0.outcome.get() }
    return .object([
      ("model", .string(model)), ("data", .string(data)),
      ("context", .integer(evaluation.context ?? EvaluationText.usualContext)),
      ("schemes", schemes.map(JSON.string) ?? .null),
      ("windows", float.map { .integer($0.windows) } ?? .null),
      ("prefix", prefix.map(JSON.string) ?? .null),
      ("rows", .array(rows.map(\.json))),
    ])
  }
}
