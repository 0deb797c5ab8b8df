import ArgumentParser
import Foundation
import IRCDriver
import IRCPassKit
import IRCSupport

/// Options that every command has.
struct CommonOptions: ParsableArguments {
  @Flag(help: "Say nothing but results and errors.")
  var quiet = false

  @Flag(help: "Write the result as JSON; keys are documented in docs/commands.md.")
  var json = false

  @Option(
    name: [.customLong("jobs"), .customShort("j")], parsing: .unconditional,
    help: "Threads to use (default: all processors). Results do not depend on it.")
  var jobs: Int?

  @Option(
    name: .customLong("plugin"),
    help: "A file with further passes, as 'irc plugin build' makes it; may be repeated.")
  var plugins: [String] = []

  /// The running program.
  static var executable: String { Bundle.main.executablePath ?? CommandLine.arguments[0] }

  /// Where notes and progress go.
  var reporter: Reporter { Reporter(isQuiet: quiet) }

  func validate() throws {
    if let jobs, jobs < 1 { throw ValidationError("--jobs must be at least 1") }
  }

  /// The passes, the shipped files and a way to talk to the user; with `caching`, also results of earlier runs.
  func environment(_ caching: CacheOptions? = nil) throws -> CompilerEnvironment {
    try environment(cache: caching?.cache(reporter))
  }

  /// The same with a cache that is there already.
  func environment(cache: ContentCache?) throws -> CompilerEnvironment {
    Parallel.setThreads(jobs)
    return try CompilerEnvironment(
      plugins: IRCTool.plugins, files: plugins, executable: Self.executable, reporter: reporter,
      cache: cache)
  }

  /// Writes a result in the form that the user asked for.
  func write(_ json: JSON, or text: @autoclosure () -> String) throws {
    try StandardStream.output(self.json ? json.serialized(indent: 2) + "\n" : text())
  }
}

/// Whether results of earlier runs are taken.
struct CacheOptions: ParsableArguments {
  @Flag(
    name: .customLong("no-cache"),
    help: "Compute everything, and keep nothing for the next time.")
  var ignoresCache = false

  /// The user's cache, unless it is to be left alone.
  func cache(_ reporter: Reporter) throws -> ContentCache? {
    if ignoresCache { return nil }
    return try ContentCache.standard(in: ProcessInfo.processInfo.environment) { reporter.note($0) }
  }
}

/// Changes of a model file on the command line.
struct Overrides: ParsableArguments {
  @Option(
    name: .customLong("set"),
    help:
      "Change a key of the model file or an option of a pass, as in passes.quantize.scheme=w4a16.")
  var settings: [String] = []
}

/// How one number or word follows `--data`.
struct EvaluationOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help:
      "Tokens predicted of each window or document at most (default: \(EvaluationText.usualContext))."
  )
  var context: Int?

  @Option(
    parsing: .unconditional, help: "Windows to take from the start of the data (default: all).")
  var windows: Int?

  /// The text in `data`, cut as these options say.
  func text(_ data: String) -> EvaluationText {
    EvaluationText(data: data, context: context, windows: windows)
  }

  func validate() throws {
    if let context, context < 1 { throw ValidationError("--context must be at least 1") }
    if let windows, windows < 1 { throw ValidationError("--windows must be at least 1") }
  }
}
