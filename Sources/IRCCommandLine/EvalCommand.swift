import ArgumentParser
import IRCDriver
import IRCSupport

/// `irc eval`: perplexity of the float model, its simulation or the compiled library.
struct EvalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval", abstract: "Measure perplexity.",
    discussion: """
      A folder is evaluated as the float model, a model file as the simulation of what it asks for, or, with --compiled, as the \
      compiled library; --agreement tells how closely the last two follow each other. A .jsonl file is documents, each from a fresh state with the start id in front; any other file is text, \
      cut into windows.
      """)

  @Argument(help: "A Hugging Face folder or a model file.")
  var model: String
  @Option(help: "Text to predict: a .txt file, or a .jsonl file of {\"text\": …} documents.")
  var data: String
  @Flag(help: "Evaluate the compiled library of a model file.")
  var compiled = false
  @Flag(help: "Compare the compiled library of a model file with its simulation, token by token.")
  var agreement = false
  @OptionGroup var evaluation: EvaluationOptions
  @OptionGroup var overrides: Overrides
  @OptionGroup var caching: CacheOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if agreement, compiled {
      throw ValidationError("--agreement compares both, so leave out --compiled")
    }
  }

  func run() throws {
    let environment = try common.environment(caching)
    if agreement {
      let report = try AgreementReport(
        of: model, settings: overrides.settings, on: evaluation.text(data), in: environment)
      try common.write(report.json, or: report.text)
      return
    }
    let subject = try Subject.open(
      model, compiled: compiled, settings: overrides.settings, reading: evaluation.text(data),
      in: environment)
    let report = try subject.perplexity(of: evaluation.text(data), environment.reporter)
    try common.write(report.json, or: report.text + "\n")
  }
}
