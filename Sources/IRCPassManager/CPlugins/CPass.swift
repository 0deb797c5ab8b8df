import CIRCPlugin
import IRCGraph
import IRCPassKit
import IRCSupport

/// A pass of a C plugin, with its options: declared by its description, and run by calling the functions of its table.
struct CPass: DeclaredPass {
  let description: CPassDescription
  private let table: Table
  /// The values of the options, in the order of the description.
  private(set) var values: [CPassOption.Value]

  /// The functions of the plugin, which is never unloaded; those that came after its version are NULL.
  ///
  /// SAFETY: the plugin says that its tables are constants.
  @safe private struct Table: @unchecked Sendable {
    let pass: irc_pass
  }

  /// Takes a pass of a plugin that was loaded.
  ///
  /// - Throws: `Diagnostic` `plugin.other-table` or `plugin.description`.
  init(_ place: UnsafePointer<irc_pass>?, of plugin: String, index: Int) throws {
    let pass = unsafe place.flatMap { place in
      unsafe CRecord.copy(
        UnsafeRawPointer(place), size: place.pointee.struct_size, atLeast: Int(IRC_PASS_SIZE_1_0),
        into: irc_pass())
    }
    guard let pass = unsafe pass, unsafe pass.api_major == IRC_PLUGIN_API_MAJOR,
      unsafe pass.api_minor <= IRC_PLUGIN_API_MINOR, unsafe pass.run != nil,
      let text = unsafe pass.description
    else {
      throw Diagnostic(
        "plugin.other-table", "plugin '\(plugin)' has no right table of its pass \(index + 1)",
        hint: "begin the table with IRC_PASS_HEAD, and give it a description and a function 'run'")
    }
    unsafe table = Table(pass: pass)
    description = try CPassDescription(
      parsing: unsafe String(cString: text), of: plugin, index: index)
    values = description.options.map(\.standard)
  }

  var info: PassInfo { description.info }

  var isCostly: Bool { description.isCostly ?? description.info.usesCalibration }

  var options: [DeclaredOption] {
    zip(description.options, values).map { option, value in
      DeclaredOption(
        key: option.key, help: option.help, schema: option.schema, text: value.text)
    }
  }

  var withDefaults: CPass {
    var pass = self
    pass.values = description.options.map(\.standard)
    return pass
  }

  mutating func set(_ option: DeclaredOption, to value: OptionValue) throws {
    guard let index = description.options.firstIndex(where: { $0.key == option.key }) else {
      return
    }
    values[index] = try description.options[index].read(value)
  }

  func check() -> [String] {
    guard let check = unsafe table.pass.check else { return [] }
    let call = CPassCall(self)
    do {
      try unsafe call.perform { unsafe check(CHost.table, $0) }
      return []
    } catch let error as PassError {
      return [[error.message, error.hint].compactMap(\.self).joined(separator: "; ")]
    } catch {
      return ["\(error)"]
    }
  }

  func run(on graph: inout Graph, in context: PassContext) throws {
    guard let run = unsafe table.pass.run else { return }
    let call = CPassCall(self, on: graph, in: context)
    try unsafe call.perform { unsafe run(CHost.table, $0) }
    graph = call.graph
  }

  /// New codes have the shapes and formats of the old ones; what else it does its description does not tell.
  func forecast(on graph: inout Graph, in context: PassContext) throws -> PassForecast {
    guard description.onlyRounds else { return .open("what it does is known to the plugin alone") }
    let call = CPassCall(self, on: graph, in: context)
    _ = try call.findWeights(nil)
    for weight in call.weights
    where graph.readerCount(of: weight.target.rounded) > weight.layers.count {
      return .open("'\(weight.target.name)' is read in other places too, where it stays as it is")
    }
    return .certain
  }
}
