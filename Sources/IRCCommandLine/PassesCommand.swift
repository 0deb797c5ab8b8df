import ArgumentParser
import IRCDriver
import IRCGraph
import IRCPassKit
import IRCPassManager
import IRCPipeline
import IRCSupport

/// `irc passes`: what passes there are and what they take.
struct PassesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "passes", abstract: "List the passes, or explain one.")

  @Argument(help: "Name of a pass to explain.")
  var name: String?
  @Flag(help: "Write the whole reference of model files, pipelines and passes as Markdown.")
  var markdown = false
  @OptionGroup var common: CommonOptions

  func run() throws {
    let environment = try common.environment()
    let writer = ReferenceWriter(
      passes: environment.registry.passes, shipped: environment.shipped)
    if markdown {
      try StandardStream.output(writer.text())
      return
    }
    var passes = environment.registry.passes
    if let name {
      guard let pass = environment.registry[name] else {
        let names = passes.map { $0.info.name }
        throw Diagnostic(
          "passes.unknown", "there is no pass '\(name)'",
          hint: nearestMatch(to: name, in: names).map { "did you mean '\($0)'?" }
            ?? "there are \(names.joined(separator: ", "))")
      }
      passes = [pass]
    }
    try common.write(
      .array(passes.map { Self.json($0, environment.registry.plugin(of: $0.info.name)) }),
      or: name == nil
        ? passes.map { "\($0.info.name)  \($0.info.summary)\n" }.joined()
        : writer.section(of: passes[0]).joined(separator: "\n") + "\n")
  }

  private static func json(_ pass: any DeclaredPass, _ plugin: Plugin?) -> JSON {
    let effects = pass.effects
    return .object([
      ("name", .string(pass.info.name)), ("summary", .string(pass.info.summary)),
      ("requires", .array(effects.requires.map { .string($0.description) })),
      ("establishes", .array(effects.establishes.map { .string($0.description) })),
      ("preserves_function", .bool(pass.info.preservesFunction)),
      ("plugin", plugin.map { .string($0.path) } ?? .null),
      (
        "options",
        .array(
          pass.options.map {
            .object([
              ("key", .string($0.key)), ("help", .string($0.help)),
              ("takes", .string($0.schema.description)), ("default", .string($0.text)),
            ])
          })
      ),
    ])
  }
}
