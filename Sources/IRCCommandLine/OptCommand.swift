import ArgumentParser
import IRCDriver
import IRCGraph
import IRCSupport

/// `irc opt`: runs passes over a graph in text form.
struct OptCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "opt", abstract: "Run passes over textual IR and print the result.")

  @Argument(help: "A graph in text form (.irc).")
  var graph: String
  @Option(help: "Passes to run, as in 'fold-norm-gains,quantize{scheme: w8a8}'.")
  var passes = ""
  @Option(help: "A Hugging Face folder whose tensors the graph's parameters are.")
  var weights: String?
  @OptionGroup var pipeline: PipelineOptions
  @OptionGroup var caching: CacheOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let environment = try common.environment(caching)
    let result = try Optimization(
      of: graph, passes: passes, weights: weights, pipeline.options, in: environment
    ).result
    pipeline.show(result)
    try common.write(
      .object([
        ("ir", .string(result.graph.text)),
        ("passes", .array(result.runs.map(PipelineOptions.json))),
      ]), or: result.graph.text)
  }
}
