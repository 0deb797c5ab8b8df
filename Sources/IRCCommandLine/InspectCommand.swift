import ArgumentParser
import IRCDriver
import IRCSupport

/// `irc inspect`: shows a checkpoint, a graph or an output folder.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Show a checkpoint, a graph or a compiled artifact.",
    discussion: """
      A Hugging Face folder shows its tensors and what becomes of each, or its graph with --graph; a model file or a .irc file \
      shows its graph; an output folder shows what it holds. With --sites, a network shows its sites: the channels that one \
      transform moves together, the group it may be taken from, and what it costs where nothing can absorb it. With --data as \
      well, also how evenly that text, and the calibration text of a model file, use the channels of each site.
      """)

  @Argument(help: "A Hugging Face folder, a model file, a .irc file or an output folder.")
  var path: String
  @Flag(help: "Show the textual IR of a folder's graph.")
  var graph = false
  @Flag(help: "Show where weights can change without a change of the function.")
  var sites = false
  @Option(help: "With --sites: a text to measure how evenly channels are used, as in 'eval'.")
  var data: String?
  @OptionGroup var evaluation: EvaluationOptions
  @OptionGroup var overrides: Overrides
  @OptionGroup var caching: CacheOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if sites, graph { throw ValidationError("--sites and --graph show different things: give one") }
    if data != nil, !sites { throw ValidationError("--data goes with --sites") }
  }

  func run() throws {
    let inspection = try Inspection(
      path, view: sites ? .sites : graph ? .graph : .overview, on: data.map(evaluation.text),
      settings: overrides.settings, in: common.environment(caching))
    try common.write(inspection.json, or: inspection.text)
  }
}
