import CIRCPlugin
import Foundation
import IRCGraph
import IRCPassKit
import IRCSupport
import Synchronization

/// Loads plugins into this process, each once; they stay until it ends, since Swift code cannot be unloaded.
///
/// A Swift plugin leaves the symbols of the kit undefined and finds them in this program, so there is one copy of every type. That is
/// sound only for the very build that the plugin was compiled against, which is checked before any of its code runs.
package enum PluginHost {
  private static let loaded = Mutex<[LoadedPlugin]>([])

  /// Every plugin that was loaded, in order.
  package static var plugins: [LoadedPlugin] { loaded.withLock { $0 } }

  /// What tells this build of the program from every other: the build ID that the linker computed from its content.
  package static let fingerprint: String = {
    var text = [CChar](repeating: 0, count: 64)
    unsafe irc_plugin_host_fingerprint(&text)
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }()

  /// Loads a plugin; one that was loaded before is returned as it is.
  ///
  /// - Parameter name: how messages call the file; nil: by its path.
  /// - Throws: `Diagnostic` that says why the file cannot be used; nothing of it has run then, unless it lies about itself.
  package static func load(_ path: String, as name: String? = nil) throws -> LoadedPlugin {
    try loaded.withLock { loaded in
      let name = name ?? path
      try checkPlace(path, name)
      let file = try MappedFile(path: path)
      defer { withExtendedLifetime(file) {} }
      let table = try unsafe PluginTable(in: file.bytes, of: name)
      if !table.isC { try checkProgram() }
      try table.check(name)
      var hash = SHA256()
      unsafe hash.add(file.bytes)
      let digest = hash.digest()
      if let known = loaded.first(where: { $0.digest == digest }) { return known }
      let content = try PluginGuard.run(name, "while it was loaded") {
        try open(path, name, table)
      }
      let plugin = LoadedPlugin(
        path: name, digest: digest, passes: content.passes, components: content.components,
        operators: content.operators)
      if plugin.isEmpty {
        throw Diagnostic(
          "plugin.no-passes",
          "plugin '\(name)' has no passes\(table.isC ? "" : ", components or operators")",
          hint: table.isC
            ? "name them in it: 'IRC_C_PLUGIN(&my_pass)'"
            : "name them in it: 'let plugins: [any Plugin.Type] = [MyPass.self]'")
      }
      loaded.append(plugin)
      return plugin
    }
  }

  /// Complains of a program that cannot load any plugin.
  ///
  /// - Throws: `Diagnostic` `plugin.host`.
  package static func checkProgram() throws {
    let reason: String
    let hint: String
    switch irc_plugin_check_host() {
    case IRC_PLUGIN_HOST_READY: return
    case IRC_PLUGIN_HOST_OWNS_SWIFT:
      reason = "it holds a Swift runtime of its own, and a plugin would bring another"
      hint = "build it without --static-swift-stdlib"
    case IRC_PLUGIN_HOST_HAS_NO_BUILD_ID:
      reason = "nothing tells it from another build"
      hint = "link it with '-Xlinker --build-id=sha1'"
    default:
      reason = "it was linked without its symbols exported"
      hint = "link it with '-Xlinker --export-dynamic'"
    }
    throw Diagnostic("plugin.host", "this program cannot load plugins: \(reason)", hint: hint)
  }

  private static func checkPlace(_ path: String, _ name: String) throws {
    var isFolder: ObjCBool = false
    guard unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      let folder = (path as NSString).deletingLastPathComponent
      let siblings = try? FileManager.default.contentsOfDirectory(
        atPath: folder.isEmpty ? "." : folder)
      let near = nearestMatch(
        to: (path as NSString).lastPathComponent, in: (siblings ?? []).sorted())
      throw Diagnostic(
        "plugin.missing", "there is no plugin '\(name)'",
        hint: near.map { "did you mean '\($0)'?" }
          ?? "'irc plugin build FOLDER' makes one of the sources in a folder")
    }
    guard isFolder.boolValue else { return }
    let folder = path.hasSuffix("/") ? String(path.dropLast()) : path
    let built = "\(folder)/build/\((folder as NSString).lastPathComponent).so"
    throw Diagnostic(
      "plugin.missing", "'\(name)' is a folder, not a plugin",
      hint: FileManager.default.fileExists(atPath: built)
        ? "name the file that was built of it, '\(built)'"
        : "run 'irc plugin build \(folder)', and name the file that it makes")
  }

  private typealias Content = (
    passes: [any DeclaredPass], components: [any Component.Type], operators: [any Operator.Type]
  )

  /// Loads the file and asks it for what it brings.
  private static func open(
    _ path: String, _ name: String, _ expected: PluginTable
  ) throws -> Content {
    // A path without '/' would be looked for among the system's libraries.
    let absolute = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    guard let handle = unsafe dlopen(absolute, RTLD_NOW | RTLD_LOCAL) else {
      let reason = unsafe dlerror().map { unsafe String(cString: $0) }
      throw Diagnostic(
        "plugin.unloadable", "plugin '\(name)' cannot be loaded",
        hint: "build it again with 'irc plugin build'",
        notes: reason.map { ["the system says: \($0)"] } ?? [])
    }
    guard let symbol = unsafe dlsym(handle, "irc_plugin_query") else {
      throw Diagnostic(
        "plugin.no-query", "plugin '\(name)' does not export 'irc_plugin_query'",
        hint: "build it again with 'irc plugin build'")
    }
    typealias Query = @convention(c) (UInt32, UInt32) -> UnsafePointer<irc_plugin_table>?
    let query = unsafe unsafeBitCast(symbol, to: Query.self)
    guard let place = unsafe query(IRC_PLUGIN_API_MAJOR, IRC_PLUGIN_API_MINOR),
      let table = unsafe CRecord.copy(
        UnsafeRawPointer(place), size: place.pointee.struct_size,
        atLeast: Int(IRC_PLUGIN_TABLE_SIZE_1_0), into: irc_plugin_table()),
      unsafe PluginTable(table) == expected
    else { throw otherTable(name) }
    if expected.isC {
      guard let list = unsafe table.passes, (0...1000).contains(unsafe table.pass_count) else {
        throw otherTable(name)
      }
      let passes = try (0..<(unsafe table.pass_count)).map { index in
        try GuardedPass(unsafe CPass(list[index], of: name, index: index), of: name)
      }
      return (passes, [], [])
    }
    guard let list = unsafe table.swift_plugins else { throw otherTable(name) }
    var plugins: [any Plugin.Type] = []
    unsafe withUnsafeMutablePointer(to: &plugins) { unsafe list($0) }
    return (
      plugins.compactMap { $0 as? any Pass.Type }.map { GuardedPass($0.init(), of: name) },
      plugins.compactMap { $0 as? any Component.Type },
      plugins.compactMap { $0 as? any Operator.Type }
    )
  }

  private static func otherTable(_ name: String) -> Diagnostic {
    Diagnostic(
      "plugin.other-table",
      "plugin '\(name)' says something else about itself than its file does",
      hint: "build it again with 'irc plugin build'")
  }
}
