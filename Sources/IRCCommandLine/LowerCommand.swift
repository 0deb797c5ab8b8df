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
  @Flag(
    name: .customLong("dry-run"),
    help: "Tell what would be done and how large it becomes, without reading weights or writing.")
  var isDryRun = false
  @OptionGroup var overrides: Overrides
  @OptionGroup var pipeline: PipelineOptions
  @OptionGroup var caching: CacheOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if isDryRun, pipeline.watches {
      throw ValidationError("--dry-run runs no passes, so there is nothing to print or to stop")
    }
  }

  func run() throws {
    let start = StartOfRun()
    let cache = try caching.cache(common.reporter)
    let memory = LoweringMemory(
      LoweringMemory.Question(
        model: model, settings: overrides.settings, output: output, plugins: common.plugins,
        functionCheck: pipeline.functionCheck),
      executable: CommonOptions.executable, cache: cache)
    if isDryRun { return try forecast(lastRun: memory?.lastRun) }
    if !pipeline.watches, let known = memory?.upToDate() {
      known.notes.forEach(common.reporter.note)
      return try show(
        output: known.output, changed: [], weightBytes: known.weightBytes, passes: known.passes)
    }
    let environment = try common.environment(cache: cache)
    let plan = try environment.plan(model, settings: overrides.settings, output: output)
    let compilation = try Compilation(plan, in: environment)
    let result = try compilation.lower(pipeline.options)
    pipeline.show(result)
    let passes = JSON.array(result.runs.map(PipelineOptions.json))
    if pipeline.stopAfter == nil {
      memory?.keep(result, of: compilation, since: start)
      try show(
        output: plan.model.output, changed: result.changedFiles,
        weightBytes: result.emissions.first?.weightBytes, passes: passes)
    } else {
      // What a run that stops has staged is not written.
      try common.write(
        .object([
          ("output", .null), ("changed", .array([])), ("weight_bytes", .null), ("passes", passes),
          ("ir", .string(result.graph.text)),
        ]), or: result.graph.text)
    }
  }

  private func show(output: String, changed: [String], weightBytes: Int?, passes: JSON) throws {
    try common.write(
      .object([
        ("output", .string(output)), ("changed", .array(changed.map(JSON.string))),
        ("weight_bytes", weightBytes.map(JSON.integer) ?? .null), ("passes", passes),
      ]),
      or: "\(output): \(weightBytes.map { "\($0) bytes of weights, " } ?? "")"
        + (changed.isEmpty
          ? "up to date\n" : "wrote \(changed.count) file\(changed.count == 1 ? "" : "s")\n"))
  }

  private func forecast(lastRun: LoweringRecord?) throws {
    let environment = try common.environment()
    let plan = try environment.plan(model, settings: overrides.settings, output: output)
    let forecast = try LoweringForecast(Compilation(plan, in: environment), lastRun: lastRun)
    try common.write(forecast.json, or: forecast.text)
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

  /// True if passes have to run for something to be watched.
  var watches: Bool { printsAll || timing || remarks || stopAfter != nil || !printAfter.isEmpty }

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
          "\(remark.location.words.map { $0 + ": " } ?? "")remark: \(remark.message) [\(remark.pass): \(remark.kind.name), \(remark.kind.outcome.rawValue)]\n"
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
      ("statistics", run.statisticsJSON), ("remarks", run.remarksJSON),
    ])
  }
}

extension FunctionCheckMode: ExpressibleByArgument {}
