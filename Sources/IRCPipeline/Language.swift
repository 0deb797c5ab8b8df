package import IRCPassKit

/// The keys of the files that users write: validation, JSON Schema and the reference all come from these declarations.
package enum Language {
  /// The version that `irc:` must say.
  package static let version = 1

  static let versionField = OptionSchema.Field(
    "irc", .integer(1...Int.max), "Version of the language; write 'irc: 1'.", isRequired: true)
  static let summaryField = OptionSchema.Field(
    "summary", .text("text"), "What it does, in a sentence.")

  /// Keys of `calibration` in a model file.
  package static let calibrationFields: [OptionSchema.Field] = [
    .init(
      "text", .text("the path of a text file"),
      "Text to calibrate on: a .txt file, or a .jsonl file of documents."),
    .init("ids", .text("the path of a file"), "Token ids to calibrate on, instead of text."),
    .init(
      "skip", .integer(0...1_000_000_000),
      "Tokens at the beginning that are left for other uses, such as evaluation. Default 0."),
    .init("tokens", .integer(1...1_000_000_000), "Number of tokens to use. Default 16384."),
    .init(
      "window", .integer(1...1_048_576),
      "Tokens of one window, the model's limit at most. Default 256."),
    .init("seed", .integer(0...Int.max), "Seed that chooses the windows. Default 0."),
  ]

  /// Keys of a model file.
  package static let modelFields: [OptionSchema.Field] = [
    versionField,
    .init(
      "name", .text("a name"),
      "Name of the result: its files and C symbols start with it. Default: the folder's name. A name that is taken gets 'model_' in front: one letter (X_OK), what C and POSIX headers put before symbols (timer_create), the name of one of those headers (math.h), and what begins with 'irc_', 'kernels_', 'posix_', 'pthread_' or 'sys_'."
    ),
    .init(
      "source", .text("the path of a folder"), "The model: a Hugging Face folder.",
      isRequired: true),
    .init("calibration", .mapping(calibrationFields), "What passes measure activations on."),
    .init(
      "pipeline", .either([.text("the name or path of a pipeline"), .list(.text("a pass"))]),
      "What to do: a shipped pipeline's name or a path, each with a scheme behind it where it takes one (rtn-w8a8, mine.yaml-w8a8), or the passes themselves.",
      isRequired: true),
    .init(
      "target", .choice(Target.allCases.map(\.rawValue)),
      "Machine that code is made for. Default native."),
    .init(
      "emit", .list(.text("an exporter")), "What to write: exporters by name. Default [c]."),
    .init(
      "output", .text("the path of a folder"),
      "Folder that the results go to. Default build/NAME."),
    .init(
      "plugins", .list(.text("the path of a plugin")),
      "Files with further passes, as 'irc plugin build' makes them."),
  ]

  /// Keys of a pipeline file.
  package static let pipelineFields: [OptionSchema.Field] = [
    versionField, summaryField,
    .init(
      "passes", .list(.text("a pass")), "The passes, in the order in which they run.",
      isRequired: true),
    .init(
      "plugins", .list(.text("the path of a plugin")),
      "Files with the passes of it that are not built in, relative to the pipeline's file."),
  ]

  /// Keys of a scheme file.
  package static var schemeFields: [OptionSchema.Field] {
    [versionField, summaryField] + QuantizationScheme.fields
  }

  /// The fields with lists of passes left open: those have their own reader.
  static func withoutPasses(_ fields: [OptionSchema.Field]) -> [OptionSchema.Field] {
    fields.map { field in
      var field = field
      if field.name == "passes" { field.schema = .list(.anything) }
      if field.name == "pipeline" {
        field.schema = .either([.text("the name or path of a pipeline"), .list(.anything)])
      }
      return field
    }
  }
}
