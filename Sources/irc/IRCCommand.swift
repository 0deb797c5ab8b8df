import ArgumentParser
import IRCDriver

/// The program: `irc SUBCOMMAND`.
@main
struct IRCCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "irc",
    abstract: "A quantization compiler: trained networks in, small and fast C libraries out.",
    discussion: "Exit codes: 0 success, 1 diagnostics, 64 wrong usage, 70 a defect of irc.",
    version: CompilerEnvironment.version,
    subcommands: [
      LowerCommand.self, EvalCommand.self, CompareCommand.self, RunCommand.self, OptCommand.self,
      PassesCommand.self, InspectCommand.self, SchemaCommand.self,
    ])

  /// Runs the command and turns errors into messages and exit codes.
  static func main() {
    var command: any ParsableCommand
    do {
      command = try parseAsRoot()
    } catch {
      exit(withError: error)
    }
    do {
      try command.run()
    } catch {
      // A command that has said all there is to say throws its exit code. The parser's own commands, such as help, throw
      // what only it understands.
      let isOurs = configuration.subcommands.contains { $0 == type(of: command) }
      if !isOurs || error is ExitCode { exit(withError: error) }
      let failure = Failure(error)
      StandardStream.error(failure.text)
      exit(withError: ExitCode(failure.code))
    }
  }
}
