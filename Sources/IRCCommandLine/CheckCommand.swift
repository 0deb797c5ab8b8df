import ArgumentParser
import IRCDriver
import IRCPassManager
import IRCPipeline
import IRCSupport

/// `irc check`: everything that is wrong with a model file, without compiling it.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Report all problems of a model file without compiling it.",
    discussion: """
      Reads the model file with its pipeline and schemes, the model's configuration, tokenizer and list of tensors, and the \
      start of the calibration text; weights are not read. Editors can run it on every save.
      """)

  @Argument(help: "The model file.")
  var model: String
  @OptionGroup var overrides: Overrides
  @OptionGroup var common: CommonOptions

  func run() throws {
    let checked = try ModelCheck(
      model, settings: overrides.settings, in: common.environment())
    for note in checked.plan.notes { common.reporter.note(note.rendered) }
    try common.write(
      .object([
        ("passes", .array(checked.plan.passes.map { .string($0.id) })),
        ("files", .array(checked.files.map { .string($0) })),
      ]),
      or: "\(model): no problems, \(checked.plan.passes.count) passes\n")
  }
}
