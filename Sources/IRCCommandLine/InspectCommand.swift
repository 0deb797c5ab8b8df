import ArgumentParser
import IRCCodegen
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
      well, also how evenly that text, and the calibration text of a model file, use the channels of each site. With --kernels, it \
      shows what the C library would call for each token, what that reads, writes and multiplies, and how long it would take by the \
      limits of a machine.
      """)

  @Argument(help: "A Hugging Face folder, a model file, a .irc file or an output folder.")
  var path: String
  @Flag(help: "Show the textual IR of a folder's graph.")
  var graph = false
  @Flag(help: "Show where weights can change without a change of the function.")
  var sites = false
  @Flag(help: "Show the kernels of the compiled network, with predicted times.")
  var kernels = false
  @Option(
    help:
      "With --kernels: limits of the machine, as 'irc bench --json' writes them (default: \(Roofline.standard.source))."
  )
  var roofline: String?
  @Option(
    parsing: .unconditional, help: "With --kernels: tokens that the context has seen before (0).")
  var past: Int?
  @Option(help: "With --sites: a text to measure how evenly channels are used, as in 'eval'.")
  var data: String?
  @OptionGroup var evaluation: EvaluationOptions
  @OptionGroup var overrides: Overrides
  @OptionGroup var caching: CacheOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    let views = [("--sites", sites), ("--graph", graph), ("--kernels", kernels)].filter(\.1)
    if views.count > 1 {
      throw ValidationError(
        "\(views[0].0) and \(views[1].0) show different things: give one")
    }
    if roofline != nil || past != nil, !kernels {
      throw ValidationError("--roofline and --past go with --kernels")
    }
    if let past, !(0...1 << 30).contains(past) {
      throw ValidationError("--past must be from 0 to \(1 << 30)")
    }
    if data != nil, !sites { throw ValidationError("--data goes with --sites") }
  }

  func run() throws {
    let inspection = try Inspection(
      path, view: view, on: data.map(evaluation.text),
      settings: overrides.settings, in: common.environment(caching))
    try common.write(inspection.json, or: inspection.text)
  }

  private var view: Inspection.View {
    get throws {
      if kernels {
        return .kernels(
          KernelsReport.Question(
            roofline: try roofline.map(Roofline.init(reading:)) ?? .standard, past: past ?? 0))
      }
      return sites ? .sites : graph ? .graph : .overview
    }
  }
}
