public import IRCPassKit
import Synchronization

/// The program `irc` as a library, for a compiler with passes and components of one's own in it.
///
///     @main struct Mine {
///       static func main() { IRCTool.main(adding: [MyPass.self]) }
///     }
public enum IRCTool {
  private static let added = Mutex<[any Plugin.Type]>([])

  /// The passes and components that are linked into the program.
  static var plugins: [any Plugin.Type] { builtInPlugins + added.withLock { $0 } }

  /// Runs the command that the process was started with, and ends the process where that fails.
  ///
  /// - Parameter plugins: known in addition to the built-in ones, in every command; a name that is taken is an error.
  public static func main(adding plugins: [any Plugin.Type] = []) {
    added.withLock { $0 = plugins }
    IRCCommand.main()
  }
}
