import ArgumentParser
import IRCDriver
import IRCSupport

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
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let list as DiagnosticList {
      fail(list)
    } catch let diagnostic as Diagnostic {
      fail(DiagnosticList(diagnostic))
    } catch {
      exit(withError: error)
    }
  }

  private static func fail(_ list: DiagnosticList) -> Never {
    StandardStream.error.write(list.description + "\n")
    exit(withError: ExitCode(1))
  }
}
