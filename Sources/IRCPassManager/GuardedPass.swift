import IRCGraph
import IRCPassKit

/// A pass of a plugin: what it says of itself is code of the plugin too, and a crash of that is told as the plugin's.
///
/// Running and forecasting are guarded by the instance, which knows more of where it stands.
struct GuardedPass: DeclaredPass {
  let info: PassInfo
  private var pass: any DeclaredPass
  private let plugin: String

  /// Asks the pass for what it declares, once.
  init(_ pass: any DeclaredPass, of plugin: String) {
    info = PluginGuard.run(plugin, "while it told of a pass") { pass.info }
    self.pass = pass
    self.plugin = plugin
  }

  private func guarded<Result>(
    _ activity: String, _ body: () throws -> Result
  ) rethrows -> Result {
    try PluginGuard.run(plugin, "while it \(activity) of '\(info.name)'", body)
  }

  var options: [DeclaredOption] { guarded("told options") { pass.options } }
  var effects: PassEffects { guarded("told effects") { pass.effects } }
  var needsCalibration: Bool { guarded("told of calibration") { pass.needsCalibration } }
  var isCostly: Bool { guarded("told costs") { pass.isCostly } }

  var withDefaults: GuardedPass {
    var copy = self
    copy.pass = guarded("told defaults") { pass.withDefaults }
    return copy
  }

  mutating func set(_ option: DeclaredOption, to value: OptionValue) throws {
    var changed = pass
    try guarded("set '\(option.key)'") { try changed.set(option, to: value) }
    pass = changed
  }

  func check() -> [String] { guarded("checked options") { pass.check() } }

  func run(on graph: inout Graph, in context: PassContext) throws {
    try pass.run(on: &graph, in: context)
  }

  func forecast(on graph: inout Graph, in context: PassContext) throws -> PassForecast {
    try pass.forecast(on: &graph, in: context)
  }

  func work(
    on graph: Graph, calibrationTokens tokens: Int, in context: PassContext
  ) throws -> PassWork {
    try pass.work(on: graph, calibrationTokens: tokens, in: context)
  }
}
