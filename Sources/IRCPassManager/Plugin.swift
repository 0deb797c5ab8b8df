package import IRCPassKit
package import IRCSupport

/// A plugin that this process has loaded.
package struct Plugin: Sendable {
  /// The file, as it was named first.
  package let path: String
  /// Digest of the file's bytes.
  package let digest: SHA256.Digest
  /// The passes that it brings, at least one, each with its default options.
  package let passes: [any DeclaredPass]
}

extension PassRegistry {
  /// The registry with the passes of a plugin; as it is if it has them already.
  ///
  /// - Throws: `Diagnostic` `passes.duplicate-name` when there is a pass of that name, `plugin.pass-name` when a name is none.
  package func adding(_ plugin: Plugin) throws -> PassRegistry {
    if plugins.contains(where: { $0.digest == plugin.digest }) { return self }
    var known = passes
    for pass in plugin.passes {
      let name = pass.info.name
      if !Self.isName(name) {
        throw Diagnostic(
          "plugin.pass-name", "plugin '\(plugin.path)' has a pass that is named '\(name)'",
          hint:
            "names are of small letters, digits and '-', a letter first; 'emit' and 'include' are taken"
        )
      }
      if known.contains(where: { $0.info.name == name }) {
        let other =
          self.plugin(of: name).map { "plugin '\($0.path)'" }
          ?? (self[name] == nil ? "the same plugin" : "the compiler itself")
        throw Diagnostic(
          "passes.duplicate-name",
          "plugin '\(plugin.path)' has a pass '\(name)', and so has \(other)",
          hint: "give the pass another name, or leave one of the two out")
      }
      known.append(pass)
    }
    return try PassRegistry(known, plugins: plugins + [plugin])
  }

  /// The plugin that a pass comes from; nil if it is linked into the program, or there is none of that name.
  package func plugin(of name: String) -> Plugin? {
    plugins.first { $0.passes.contains { $0.info.name == name } }
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
