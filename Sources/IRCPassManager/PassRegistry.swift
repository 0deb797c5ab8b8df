public import IRCGraph
public import IRCPassKit
import IRCSupport

/// Every pass that a pipeline can name, every component that an option of a pass can name, and every operator that a graph can name.
public struct PassRegistry: Sendable {
  /// The passes, each with its default options, sorted by name.
  public let passes: [any DeclaredPass]
  /// The components, sorted by kind and name.
  package let components: ComponentList
  /// The operators: those of the compiler, and what plugins add.
  package let operators: OperatorRegistry
  /// The plugins that some of them come from, in the order in which they were added.
  package let plugins: [LoadedPlugin]

  /// Lists passes, components and operators.
  ///
  /// - Throws: `Diagnostic` `passes.duplicate-name` when two have one name.
  public init(_ plugins: [any Plugin.Type]) throws {
    try self.init(
      plugins.compactMap { $0 as? any Pass.Type }.map { $0.init() },
      plugins.compactMap { $0 as? any Component.Type },
      Self.merged(.standard, plugins.compactMap { $0 as? any Operator.Type }), plugins: [])
  }

  init(
    _ passes: [any DeclaredPass], _ components: [any Component.Type],
    _ operators: OperatorRegistry, plugins: [LoadedPlugin]
  ) throws {
    self.plugins = plugins
    self.operators = operators
    self.components = ComponentList(components)
    self.passes = passes.sorted { $0.info.name < $1.info.name }
    for (a, b) in zip(self.passes, self.passes.dropFirst()) where a.info.name == b.info.name {
      throw Self.duplicate("passes", a.info.name, type(of: a), type(of: b))
    }
    let types = self.components.types
    for (a, b) in zip(types, types.dropFirst())
    where a.kind == b.kind && a.info.name == b.info.name {
      throw Self.duplicate("\(a.kind.name)s", a.info.name, a, b)
    }
  }

  private static func merged(
    _ operators: OperatorRegistry, _ more: [any Operator.Type]
  ) throws -> OperatorRegistry {
    var names: [String: any Operator.Type] = [:]
    for type in more {
      if let other = operators[type.name] ?? names.updateValue(type, forKey: type.name) {
        throw duplicate("operators", type.name, other, type)
      }
    }
    return operators.adding(more)
  }

  private static func duplicate(
    _ what: String, _ name: String, _ a: any Any.Type, _ b: any Any.Type
  ) -> Diagnostic {
    Diagnostic(
      "passes.duplicate-name", "two \(what) are named '\(name)': \(a) and \(b)",
      hint: "leave out one of the two plugins")
  }

  /// The pass of that name, with its default options.
  public subscript(name: String) -> (any DeclaredPass)? { passes.first { $0.info.name == name } }

  /// The options of a pass, with the names of the components that they can take.
  package func options(of pass: any DeclaredPass) -> [DeclaredOption] {
    pass.options.map { $0.taking(components.naming($0.schema)) }
  }

  /// Names of the passes that establish a fact.
  public func establishing(_ fact: Fact) -> [String] {
    passes.filter { $0.effects.establishes.contains(fact) }.map { $0.info.name }
  }
}
