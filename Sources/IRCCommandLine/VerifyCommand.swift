import ArgumentParser
import IRCDriver
import IRCPipeline

/// `irc verify`: whether an output folder is whole.
struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check an output folder against its manifest, and its library.",
    discussion: """
      Every file that the manifest lists must have the bytes that were written; the library is compiled again, loads its weights \
      and reads a few tokens. With --model, what the folder was made from must be the same, too.
      """)

  @Argument(help: "The output folder.")
  var folder: String
  @Option(help: "The model file that the folder was made from.")
  var model: String?
  @OptionGroup var overrides: Overrides
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if model == nil, !overrides.settings.isEmpty {
      throw ValidationError("--set goes with --model")
    }
  }

  func run() throws {
    let environment = try common.environment()
    let plan = try model.map { try environment.plan($0, settings: overrides.settings) }
    let verification = try Verification(folder, of: plan, in: environment)
    try common.write(verification.json, or: verification.text)
  }
}
