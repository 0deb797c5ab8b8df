public import IRCPassKit
public import IRCSupport

/// One entry of a schedule: a pass with its options, under a name that is unique in the schedule.
public struct PassInstance: Sendable {
  /// The pass's name, with `#2`, `#3` … for later entries of the same pass.
  public let id: String
  /// The pass with its options set.
  public let pass: any DeclaredPass
  /// Where the user asked for it.
  public let span: SourceSpan?
  /// What an error of it tells besides, such as where a shipped file has it.
  public let notes: [String]
  /// The file of the plugin that the pass comes from; nil if it is linked into the program.
  public let plugin: String?
  /// Files of the plugins whose components its options name.
  public let helpers: [String]

  /// Makes an entry.
  public init(
    id: String, pass: any DeclaredPass, span: SourceSpan?, notes: [String] = [],
    plugin: String? = nil, helpers: [String] = []
  ) {
    self.id = id
    self.pass = pass
    self.span = span
    self.notes =
      notes
      + (plugin.map { ["pass '\(pass.info.name)' comes from plugin '\($0)'"] } ?? [])
    self.plugin = plugin
    self.helpers = helpers
  }

  /// What the pass declares.
  public var info: PassInfo { pass.info }

  /// An error at the entry.
  func error(_ id: String, _ message: String, hint: String? = nil, notes: [String] = [])
    -> Diagnostic
  {
    let notes = notes + self.notes
    return span?.error(id, message, hint: hint, notes: notes)
      ?? Diagnostic(id, message, hint: hint, notes: notes)
  }

  /// Calls code of the pass; if that is a plugin's, or calls a plugin's, and ends the process by a signal, that is told.
  func guarded<Result>(_ body: () throws -> Result) rethrows -> Result {
    let who: String
    if let plugin {
      who = "pass '\(id)' of plugin '\(plugin)'"
    } else if !helpers.isEmpty {
      who = "pass '\(id)' with \(helpers.map { "plugin '\($0)'" }.joined(separator: " and "))"
    } else {
      return try body()
    }
    return try PluginGuard.run(
      crash: { error("plugin.crashed", "\(who) crashed (\($0))", hint: PluginGuard.hint) }, body)
  }

  /// An error that came up while the pass ran: whoever wrote a plugin wants to know that it was theirs.
  func blamed(_ problem: Diagnostic) -> Diagnostic {
    guard let plugin else { return problem }
    var problem = problem
    problem.notes.append("it came up in pass '\(id)' of plugin '\(plugin)'")
    return problem
  }
}
