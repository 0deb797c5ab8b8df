public import IRCGraph
public import IRCPassKit
import IRCSupport

/// Every pass that a pipeline can name.
public struct PassRegistry: Sendable {
  /// The passes, each with its default options, sorted by name.
  public let passes: [any DeclaredPass]
  /// The plugins that some of them come from, in the order in which they were added.
  package let plugins: [Plugin]

  /// Lists passes.
  ///
  /// - Throws: `Diagnostic` `passes.duplicate-name` when two have one name.
  public init(_ passes: [any Pass.Type]) throws {
    try self.init(passes.map { $0.init() }, plugins: [])
  }

  init(_ passes: [any DeclaredPass], plugins: [Plugin]) throws {
    self.plugins = plugins
    self.passes = passes.sorted { $0.info.name < $1.info.name }
    for (a, b) in zip(self.passes, self.passes.dropFirst()) where a.info.name == b.info.name {
      throw Diagnostic(
        "passes.duplicate-name",
        "two passes are named '\(a.info.name)': \(type(of: a)) and \(type(of: b))",
        hint: "leave out one of the two plugins")
    }
  }

  /// The pass of that name, with its default options.
  public subscript(name: String) -> (any DeclaredPass)? { passes.first { $0.info.name == name } }

  /// Names of the passes that establish a fact.
  public func establishing(_ fact: Fact) -> [String] {
    passes.filter { $0.effects.establishes.contains(fact) }.map { $0.info.name }
  }
}
