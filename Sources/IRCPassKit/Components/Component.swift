import IRCSupport

/// A part of a method that passes choose by its name in one of their options, such as a sensitivity metric.
///
/// A component is of one kind, and conforms to the protocol of that kind, which refines this one.
public protocol Component: Plugin {
  /// What it is.
  static var info: ComponentInfo { get }
  /// Which options can name it; the protocol of the kind says so.
  static var kind: any ComponentKind.Type { get }
  /// Makes one.
  init()
}

/// What a component declares about itself, once.
public struct ComponentInfo: Sendable {
  /// Name in YAML, in kebab-case.
  public var name: String
  /// What it does, in one sentence.
  public var summary: String
  /// Where the method comes from, with section.
  public var paper: String?

  /// Declares a component.
  public init(name: String, summary: String, paper: String? = nil) {
    self.name = name
    self.summary = summary
    self.paper = paper
  }
}

/// A kind of component: a type without values that names it.
public protocol ComponentKind: Sendable {
  /// What its components are, such as `any SensitivityMetric`.
  associatedtype Element: Sendable
  /// Name in messages and documentation, such as "sensitivity metric".
  static var name: String { get }
}

/// An option that names a component of one kind.
///
///     @PassOption("How losses are measured.")
///     public var metric = ComponentName<SensitivityMetrics>("kl")
///
/// Whoever reads a pipeline checks that there is one of that name; `PassContext.component(_:)` makes it.
public struct ComponentName<Kind: ComponentKind>: PassOptionValue, Hashable {
  /// The name.
  public let name: String

  public static var schema: OptionSchema { .component(Kind.name) }

  /// Names a component.
  public init(_ name: String) { self.name = name }

  public init(option: OptionValue) throws {
    guard let text = option.text else { throw option.mismatch(Self.schema) }
    name = text
  }

  public var optionText: String { yamlScalar(name) }
}

/// The components that passes can choose from.
package struct ComponentList: Sendable {
  /// All of them, sorted by kind and name.
  package let types: [any Component.Type]

  package init(_ types: [any Component.Type] = []) {
    self.types = types.sorted { ($0.kind.name, $0.info.name) < ($1.kind.name, $1.info.name) }
  }

  /// Those of one kind.
  package func types(ofKind kind: String) -> [any Component.Type] {
    types.filter { $0.kind.name == kind }
  }

  /// Names of those of one kind.
  package func names(ofKind kind: String) -> [String] { types(ofKind: kind).map { $0.info.name } }

  /// A schema with the names of components as words to choose from.
  package func naming(_ schema: OptionSchema) -> OptionSchema {
    switch schema {
    case .component(let kind): .choice(names(ofKind: kind))
    case .list(let element): .list(naming(element))
    case .either(let kinds): .either(kinds.map(naming))
    default: schema
    }
  }
}

extension PassContext {
  /// Makes the component that an option names.
  ///
  /// - Throws: `PassError` when there is none of that name.
  public func component<Kind>(_ choice: ComponentName<Kind>) throws -> Kind.Element {
    let known = components.types(ofKind: Kind.name)
    guard let type = known.first(where: { $0.info.name == choice.name }) else {
      let names = known.map { $0.info.name }
      throw PassError(
        "there is no \(Kind.name) '\(choice.name)'",
        hint: nearestMatch(to: choice.name, in: names).map { "did you mean '\($0)'?" }
          ?? "there are \(names.joined(separator: ", "))")
    }
    guard let component = type.init() as? Kind.Element else {
      throw PassError("'\(choice.name)' says that it is a \(Kind.name), and is none")
    }
    return component
  }
}
