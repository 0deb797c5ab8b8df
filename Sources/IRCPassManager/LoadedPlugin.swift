package import IRCPassKit
package import IRCSupport

/// A plugin that this process has loaded.
package struct LoadedPlugin: Sendable {
  /// The file, as it was named first.
  package let path: String
  /// Digest of the file's bytes.
  package let digest: SHA256.Digest
  /// The passes that it brings, each with its default options.
  package let passes: [any DeclaredPass]
  /// The components that it brings; there is a pass or a component at least.
  package let components: [any Component.Type]

  /// The names of what it brings, passes first.
  package var names: [String] { passes.map { $0.info.name } + components.map { $0.info.name } }
}

extension PassRegistry {
  /// The registry with what a plugin brings; as it is if it has that already.
  ///
  /// - Throws: `Diagnostic` `passes.duplicate-name` when there is a pass or component of that name, `plugin.pass-name` when a name is
  ///   none.
  package func adding(_ plugin: LoadedPlugin) throws -> PassRegistry {
    if plugins.contains(where: { $0.digest == plugin.digest }) { return self }
    var known = Set(passes.map { $0.info.name })
    for pass in plugin.passes {
      try check(pass.info.name, "pass", of: plugin, &known)
    }
    for (kind, components) in Dictionary(grouping: plugin.components, by: { $0.kind.name })
      .sorted(by: { $0.key < $1.key })
    {
      var known = Set(self.components.names(ofKind: kind))
      for component in components { try check(component.info.name, kind, of: plugin, &known) }
    }
    return try PassRegistry(
      passes + plugin.passes, components.types + plugin.components, plugins: plugins + [plugin])
  }

  private func check(
    _ name: String, _ what: String, of plugin: LoadedPlugin, _ known: inout Set<String>
  ) throws {
    if !Self.isName(name) {
      throw Diagnostic(
        "plugin.pass-name", "plugin '\(plugin.path)' has a \(what) that is named '\(name)'",
        hint:
          "names are of small letters, digits and '-', a letter first; 'emit' and 'include' are taken"
      )
    }
    if !known.insert(name).inserted {
      let maker = plugins.first { what == "pass" ? $0.has(pass: name) : $0.has(name, of: what) }
      let isBuiltIn =
        what == "pass" ? self[name] != nil : components.names(ofKind: what).contains(name)
      let other =
        maker.map { "plugin '\($0.path)'" }
        ?? (isBuiltIn ? "the compiler itself" : "the same plugin")
      throw Diagnostic(
        "passes.duplicate-name",
        "plugin '\(plugin.path)' has a \(what) '\(name)', and so has \(other)",
        hint: "give the \(what) another name, or leave one of the two out")
    }
  }

  /// The plugin that a pass comes from; nil if it is linked into the program, or there is none of that name.
  package func plugin(of name: String) -> LoadedPlugin? { plugins.first { $0.has(pass: name) } }

  /// The plugin that a component comes from; nil if it is linked into the program, or there is none of that name.
  package func plugin(of component: any Component.Type) -> LoadedPlugin? {
    plugins.first { $0.has(component.info.name, of: component.kind.name) }
  }

  /// True for names that a pipeline can say.
  private static func isName(_ name: String) -> Bool {
    name.utf8.first.map { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) } == true
      && !["emit", "include"].contains(name)
      && name.utf8.allSatisfy {
        switch $0 {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
          UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }
}

extension LoadedPlugin {
  fileprivate func has(pass name: String) -> Bool { passes.contains { $0.info.name == name } }

  fileprivate func has(_ name: String, of kind: String) -> Bool {
    components.contains { $0.info.name == name && $0.kind.name == kind }
  }
}
