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
    commandName: "passes",
    abstract: "List the passes and what their options can name, or explain one pass.")

  @Argument(help: "Name of a pass to explain.")
  var name: String?
  @Flag(help: "Write the whole reference of model files, pipelines and passes as Markdown.")
  var markdown = false
  @OptionGroup var common: CommonOptions

  func run() throws {
    let environment = try common.environment()
    let registry = environment.registry
    let writer = ReferenceWriter(registry, shipped: environment.shipped)
    if markdown {
      try StandardStream.output(writer.text())
      return
    }
    guard let name else {
      let components = registry.components.types
      try common.write(
        .object([
          ("passes", .array(registry.passes.map { Self.json($0, in: registry) })),
          ("components", .array(components.map { Self.json($0, in: registry) })),
        ]),
        or: registry.passes.map { "\($0.info.name)  \($0.info.summary)\n" }.joined()
          + components.map { "\($0.info.name)  (\($0.kind.name)) \($0.info.summary)\n" }.joined())
      return
    }
    guard let pass = registry[name] else {
      let names = registry.passes.map { $0.info.name }
      throw Diagnostic(
        "passes.unknown", "there is no pass '\(name)'",
        hint: nearestMatch(to: name, in: names).map { "did you mean '\($0)'?" }
          ?? "there are \(names.joined(separator: ", "))")
    }
    try common.write(
      Self.json(pass, in: registry),
      or: writer.section(of: pass).joined(separator: "\n") + "\n")
  }

  private static func json(_ pass: any DeclaredPass, in registry: PassRegistry) -> JSON {
    let effects = pass.effects
    return .object([
      ("name", .string(pass.info.name)), ("summary", .string(pass.info.summary)),
      ("requires", .array(effects.requires.map { .string($0.description) })),
      ("establishes", .array(effects.establishes.map { .string($0.description) })),
      ("preserves_function", .bool(pass.info.preservesFunction)),
      ("plugin", path(of: registry.plugin(of: pass.info.name))),
      (
        "options",
        .array(
          registry.options(of: pass).map {
            .object([
              ("key", .string($0.key)), ("help", .string($0.help)),
              ("takes", .string($0.schema.description)), ("default", .string($0.text)),
            ])
          })
      ),
    ])
  }

  private static func json(
    _ component: any Component.Type, in registry: PassRegistry
  ) -> JSON {
    .object([
      ("kind", .string(component.kind.name)), ("name", .string(component.info.name)),
      ("summary", .string(component.info.summary)),
      ("plugin", path(of: registry.plugin(of: component))),
    ])
  }

  private static func path(of plugin: LoadedPlugin?) -> JSON {
    plugin.map { .string($0.path) } ?? .null
  }
}
