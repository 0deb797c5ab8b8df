public import IRCPassKit
import Synchronization

/// The program `irc` as a library, for a compiler with passes of one's own in it.
///
///     @main struct Mine {
///       static func main() { IRCTool.main(adding: [MyPass.self]) }
///     }
public enum IRCTool {
  private static let added = Mutex<[any Pass.Type]>([])

  /// The passes that are linked into the program.
  static var passes: [any Pass.Type] { builtInPasses + added.withLock { $0 } }

  /// Runs the command that the process was started with, and ends the process where that fails.
  ///
  /// - Parameter passes: known in addition to the built-in passes, in every command; a name that is taken is an error.
  public static func main(adding passes: [any Pass.Type] = []) {
    added.withLock { $0 = passes }
    IRCCommand.main()
  }
}
