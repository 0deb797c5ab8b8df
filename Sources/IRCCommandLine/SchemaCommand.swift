import ArgumentParser
import IRCDriver
import IRCPassManager
import IRCPipeline
import IRCSupport

/// `irc schema`: JSON Schemas for editors.
struct SchemaCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schema", abstract: "Write the JSON Schema of a kind of file.")

  /// Kinds of file that users write.
  enum Kind: String, ExpressibleByArgument, CaseIterable {
    case model, pipeline, scheme
  }

  @Argument(help: "Kind of file: model, pipeline or scheme.")
  var kind: Kind
  @OptionGroup var common: CommonOptions

  func run() throws {
    let writer = SchemaWriter(try common.environment().registry)
    let schema =
      switch kind {
      case .model: writer.modelSchema()
      case .pipeline: writer.pipelineSchema()
      case .scheme: writer.schemeSchema()
      }
    try StandardStream.output(schema.serialized(indent: 2) + "\n")
  }
}
