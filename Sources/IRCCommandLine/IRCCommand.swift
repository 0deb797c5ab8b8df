import ArgumentParser
import Foundation
import IRCDriver
import IRCSupport

/// The program: `irc SUBCOMMAND`.
struct IRCCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "irc",
    abstract: "A quantization compiler: trained networks in, small and fast C libraries out.",
    discussion: "Exit codes: 0 success, 1 diagnostics, 64 wrong usage, 70 a defect of irc.",
    version: CompilerEnvironment.version,
    subcommands: [
      LowerCommand.self, EvalCommand.self, CompareCommand.self, RunCommand.self, OptCommand.self,
      CheckCommand.self, PassesCommand.self, InspectCommand.self, VerifyCommand.self,
      BenchCommand.self, CacheCommand.self, SchemaCommand.self, PluginCommand.self,
    ])

  /// Complains of a first word that is no command: the parser would call it an unexpected argument, or answer 'help' of it with the
  /// help of everything.
  private static func checkNames(_ words: ArraySlice<String>) throws {
    let asksForHelp = words.first == "help"
    var words = asksForHelp ? words.dropFirst() : words
    var commands = configuration.subcommands
    var parent = ""
    // The parser's own command is not among ours.
    if asksForHelp, words.first == "help" { return }
    while let word = words.popFirst(), !word.hasPrefix("-") {
      let names = commands.compactMap { $0.configuration.commandName }
      guard let command = commands.first(where: { $0.configuration.commandName == word }) else {
        let near = nearestMatch(to: word, in: names).map { "did you mean '\(parent)\($0)'? " } ?? ""
        throw ValidationError(
          "there is no command '\(parent)\(word)'; \(near)commands: \(names.joined(separator: ", "))"
        )
      }
      commands = command.configuration.subcommands
      if commands.isEmpty || !asksForHelp { return }
      parent += word + " "
    }
  }

  /// Runs the command and turns errors into messages and exit codes.
  static func main() {
    // A file that may not grow is an error of writing it, which is told, and not the end of the process.
    _ = signal(SIGXFSZ, SIG_IGN)
    var command: any ParsableCommand
    do {
      try checkNames(CommandLine.arguments.dropFirst())
      command = try parseAsRoot()
    } catch {
      exit(withError: error)
    }
    do {
      try command.run()
    } catch {
      // A command that has said all there is to say throws its exit code. The parser's own commands, such as help, throw
      // what only it understands.
      let commands = configuration.subcommands.flatMap { [$0] + $0.configuration.subcommands }
      // 'irc plugin' alone is answered by the parser, with help.
      let isOurs = commands.contains { $0 == type(of: command) } && !(command is PluginCommand)
      if !isOurs || error is ExitCode { exit(withError: error) }
      let failure = Failure(error)
      StandardStream.error(failure.text)
      exit(withError: ExitCode(failure.code))
    }
  }
}
