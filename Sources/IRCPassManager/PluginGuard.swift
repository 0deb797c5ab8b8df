import CIRCPlugin
package import IRCSupport

/// Says whose fault it is when code of a plugin ends the process.
package enum PluginGuard {
  /// Calls code of a plugin.
  ///
  /// - Parameter crash: what to say if it crashes, given the name of the signal.
  package static func run<Result>(
    crash: (String) -> Diagnostic, _ body: () throws -> Result
  ) rethrows -> Result {
    // All words are made before, since a signal handler can only write.
    let mark = "\u{1}"
    let parts = crash(mark).rendered.split(
      separator: mark, maxSplits: 1, omittingEmptySubsequences: false)
    let guarding = unsafe irc_plugin_enter(
      String(parts[0]), (parts.count > 1 ? String(parts[1]) : "") + "\n")
    defer { unsafe irc_plugin_leave(guarding) }
    return try body()
  }

  /// The same for code that runs outside of any pass.
  package static func run<Result>(
    _ plugin: String, _ activity: String, _ body: () throws -> Result
  ) rethrows -> Result {
    try run(
      crash: {
        Diagnostic(
          "plugin.crashed", "plugin '\(plugin)' crashed \(activity) (\($0))", hint: hint)
      }, body)
  }

  static let hint = "the plugin is at fault: tell whoever wrote it, or leave it out"
}
