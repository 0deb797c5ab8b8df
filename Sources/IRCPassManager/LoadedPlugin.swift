package import IRCGraph
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
  /// The components that it brings.
  package let components: [any Component.Type]
  /// The operators that it brings.
  package let operators: [any Operator.Type]

  /// True if it brings nothing.
  var isEmpty: Bool { passes.isEmpty && components.isEmpty && operators.isEmpty }

  /// The names of what it brings, passes first.
  package var names: [String] {
    passes.map { $0.info.name } + components.map { $0.info.name } + operators.map { $0.name }
  }
}

extension PassRegistry {
  /// The registry with what a plugin brings; as it is if it has that already.
  ///
  /// - Throws: `Diagnostic` `passes.duplicate-name` when there is a pass, component or operator of that name, `plugin.pass-name` when a
  ///   name is none.
  package func adding(_ plugin: LoadedPlugin) throws -> PassRegistry {
    if plugins.contains(where: { $0.digest == plugin.digest }) { return self }
    // What a type says of itself may be code of the plugin.
    return try PluginGuard.run(plugin.path, "while it was added") {
      var names = Names(registry: self, plugin: plugin)
      for pass in plugin.passes {
        try names.add(pass.info.name, "pass", isTaken: self[pass.info.name] != nil)
      }
      for component in plugin.components {
        let (kind, name) = (component.kind.name, component.info.name)
        try names.add(name, kind, isTaken: components.names(ofKind: kind).contains(name))
      }
      for type in plugin.operators {
        try names.add(type.name, "operator", isTaken: operators[type.name] != nil)
      }
      return try PassRegistry(
        passes + plugin.passes, components.types + plugin.components,
        operators.adding(plugin.operators), plugins: plugins + [plugin])
    }
  }

  /// The plugin that a pass comes from; nil if it is linked into the program, or there is none of that name.
  package func plugin(of name: String) -> LoadedPlugin? {
    plugins.first { $0.has(name, "pass") }
  }

  /// The plugin that a component comes from; nil if it is linked into the program, or there is none of that name.
  package func plugin(of component: any Component.Type) -> LoadedPlugin? {
    plugins.first { $0.has(component.info.name, component.kind.name) }
  }

  /// Files of the plugins whose components the options of a pass name.
  package func plugins(helping pass: any DeclaredPass) -> [String] {
    guard components.types.contains(where: { plugin(of: $0) != nil }) else { return [] }
    let named = pass.options.flatMap { option in
      // The words of a name or of a list of names, without what YAML puts around them.
      let words = option.text.split { !($0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-")) }
      return option.schema.componentKinds.flatMap { kind in
        components.types(ofKind: kind).filter { words.contains($0.info.name[...]) }
      }
    }
    var seen: Set<String> = []
    return named.compactMap { plugin(of: $0)?.path }.filter { seen.insert($0).inserted }
  }
}

extension OptionSchema {
  /// The kinds of components whose names a value may be, or have as elements.
  fileprivate var componentKinds: [String] {
    switch self {
    case .component(let kind): [kind]
    case .list(let element): element.componentKinds
    case .either(let schemas): schemas.flatMap(\.componentKinds)
    default: []
    }
  }
}

extension LoadedPlugin {
  /// True if it brings a pass, an operator or a component of a kind with that name.
  fileprivate func has(_ name: String, _ what: String) -> Bool {
    switch what {
    case "pass": passes.contains { $0.info.name == name }
    case "operator": operators.contains { $0.name == name }
    default: components.contains { $0.info.name == name && $0.kind.name == what }
    }
  }
}

/// The names that a plugin adds, each checked as it comes.
private struct Names {
  let registry: PassRegistry
  let plugin: LoadedPlugin
  private var added: Set<[String]> = []

  init(registry: PassRegistry, plugin: LoadedPlugin) {
    self.registry = registry
    self.plugin = plugin
  }

  /// - Parameter isTaken: whether the registry has something of that kind and name.
  mutating func add(_ name: String, _ what: String, isTaken: Bool) throws {
    let isOperator = what == "operator"
    guard Self.isName(name, joinedBy: isOperator ? "_" : "-"),
      isOperator || !["emit", "include"].contains(name)
    else {
      throw Diagnostic(
        "plugin.pass-name",
        "plugin '\(plugin.path)' has \(Self.article(what)) \(what) that is named '\(name)'",
        hint: isOperator
          ? "names of operators are of small letters, digits and '_', a letter first"
          : "names are of small letters, digits and '-', a letter first; 'emit' and 'include' are taken"
      )
    }
    guard added.insert([what, name]).inserted, !isTaken else {
      let maker = registry.plugins.first { $0.has(name, what) }
      let other =
        maker.map { "plugin '\($0.path)'" }
        ?? (isTaken ? "the compiler itself" : "the same plugin")
      throw Diagnostic(
        "passes.duplicate-name",
        "plugin '\(plugin.path)' has \(Self.article(what)) \(what) '\(name)', and so has \(other)",
        hint: "give the \(what) another name, or leave one of the two out")
    }
  }

  private static func article(_ what: String) -> String {
    what.first.map { "aeio".contains($0) } == true ? "an" : "a"
  }

  /// True for names that a pipeline, or a graph, can say.
  private static func isName(_ name: String, joinedBy sign: Character) -> Bool {
    let letters: ClosedRange<Character> = "a"..."z"
    let digits: ClosedRange<Character> = "0"..."9"
    return name.first.map(letters.contains) == true
      && name.allSatisfy {
        $0.isASCII && (letters.contains($0) || digits.contains($0) || $0 == sign)
      }
  }
}
