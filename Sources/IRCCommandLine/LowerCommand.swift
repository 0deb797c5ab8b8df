import ArgumentParser
import IRCCodegen
import IRCDriver
import IRCGraph
import IRCPassKit
import IRCPassManager
import IRCPipeline
import IRCSupport

/// `irc lower`: compiles what a model file asks for.
struct LowerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lower", abstract: "Compile a model file into its output folder.")

  @Argument(help: "The model file.")
  var model: String
  @Option(name: .shortAndLong, help: "Output folder, instead of the model file's.")
  var output: String?
  @OptionGroup var overrides: Overrides
  @OptionGroup var pipeline: PipelineOptions
  @OptionGroup var caching: CacheOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let environment = try common.environment(caching)
    let plan = try environment.plan(model, settings: overrides.settings, output: output)
    let result = try Compilation(plan, in: environment).lower(pipeline.options)
    pipeline.show(result)
    // What a run that stops has staged is not written.
    let emission = pipeline.stopAfter == nil ? result.emissions.first : nil
    try common.write(
      .object(
        [
          ("output", pipeline.stopAfter == nil ? .string(plan.model.output) : .null),
          ("changed", .array(result.changedFiles.map { .string($0) })),
          ("weight_bytes", emission.map { .integer($0.weightBytes) } ?? .null),
          ("passes", .array(result.runs.map(PipelineOptions.json))),
        ] + (pipeline.stopAfter == nil ? [] : [("ir", .string(result.graph.text))])),
      or: pipeline.stopAfter != nil
        ? result.graph.text
        : "\(plan.model.output): \(emission.map { "\($0.weightBytes) bytes of weights, " } ?? "")"
          + (result.changedFiles.isEmpty
            ? "up to date\n" : "wrote \(result.changedFiles.joined(separator: ", "))\n"))
  }
}

/// Options that watch a pipeline at work.
struct PipelineOptions: ParsableArguments {
  @Option(
    name: .customLong("print-ir-after"),
    help: "Print the graph after this pass instance, on standard error; may be repeated.")
  var printAfter: [String] = []
  @Flag(name: .customLong("print-ir-after-all"), help: "Print the graph after every pass.")
  var printsAll = false
  @Option(
    name: .customLong("stop-after"),
    help: "Stop after this pass instance, write no files and print the graph.")
  var stopAfter: String?
  @Flag(help: "Print what each pass took and counted.")
  var timing = false
  @Flag(help: "Print the remarks of every pass.")
  var remarks = false
  @Option(
    name: .customLong("function-check"),
    help:
      "Run the graph before and after passes that preserve its function, and compare: auto (not for large models), always, never."
  )
  var functionCheck = FunctionCheckMode.auto

  /// The same as the driver takes them.
  var options: Compilation.Options {
    var options = Compilation.Options()
    options.printAfter = printsAll ? [] : printAfter.isEmpty ? nil : printAfter
    options.stopAfter = stopAfter
    options.functionCheck = functionCheck
    return options
  }

  /// Writes dumps, remarks and timing to standard error.
  func show(_ result: Compilation.Result) {
    for dump in result.dumps { StandardStream.error(dump) }
    if remarks {
      for remark in result.runs.flatMap(\.remarks) {
        StandardStream.error(
          "\(remark.location.text): remark: \(remark.message) [\(remark.pass): \(remark.kind.name), \(remark.kind.outcome.rawValue)]\n"
        )
        if let hint = remark.hint { StandardStream.error("  hint: \(hint)\n") }
      }
    }
    if timing {
      for run in result.runs {
        let counters = run.counters.map { "\($0.name) \($0.value)" }.joined(separator: ", ")
        StandardStream.error(
          "\(fixed(run.seconds * 1000, 1)) ms  \(run.instance)  operations \(run.operations.before) -> \(run.operations.after)"
            + (counters.isEmpty ? "" : "  \(counters)")
            + (run.earlierSeconds.map { "  known from a run of \(fixed($0 * 1000, 1)) ms" } ?? "")
            + "\n")
      }
    }
  }

  /// What one pass did.
  static func json(_ run: PassRun) -> JSON {
    .object([
      ("instance", .string(run.instance)), ("seconds", .real(run.seconds)),
      ("earlier_seconds", run.earlierSeconds.map(JSON.real) ?? .null),
      ("statistics", .object(run.counters.map { ($0.name, .integer($0.value)) })),
      (
        "remarks",
        .array(
          run.remarks.map {
            .object([
              ("kind", .string($0.kind.name)), ("outcome", .string($0.kind.outcome.rawValue)),
              ("location", .string($0.location.text)), ("message", .string($0.message)),
              ("hint", $0.hint.map(JSON.string) ?? .null),
            ])
          })
      ),
    ])
  }
}

extension FunctionCheckMode: ExpressibleByArgument {}
