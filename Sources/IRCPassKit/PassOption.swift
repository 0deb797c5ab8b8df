import IRCSupport
import Synchronization

/// Declares one option of a pass: its key in YAML is the property's name in snake_case.
///
///     @PassOption("Largest share of values that may be clipped.", in: 0...0.5)
///     public var clip = 0.0
///
/// The declaration feeds validation, help, JSON Schema and docs. Options are values like any property: a copy of a pass has its own.
@propertyWrapper
public struct PassOption<Value: PassOptionValue>: Sendable {
  private var box: OptionBox<Value>
  private let help: String
  private let schema: OptionSchema

  public var wrappedValue: Value {
    get { box.value.withLock { $0 } }
    // Copies of the pass keep the box that they share.
    set { box = OptionBox(newValue) }
  }

  /// Declares an option with a default.
  public init(wrappedValue: Value, _ help: String) {
    box = OptionBox(wrappedValue)
    self.help = help
    schema = Value.schema
  }

  /// Declares an option with a default and bounds.
  public init(wrappedValue: Value, _ help: String, in range: ClosedRange<Int>) where Value == Int {
    box = OptionBox(wrappedValue)
    self.help = help
    schema = .integer(range)
  }

  /// Declares an option with bounds that may be absent.
  public init(wrappedValue: Value, _ help: String, in range: ClosedRange<Int>)
  where Value == Int? {
    box = OptionBox(wrappedValue)
    self.help = help
    schema = .integer(range)
  }

  /// Declares an option with bounds that may be absent.
  public init(wrappedValue: Value, _ help: String, in range: ClosedRange<Double>)
  where Value == Double? {
    box = OptionBox(wrappedValue)
    self.help = help
    schema = .number(range)
  }

  /// Declares an option with a default and bounds.
  public init(
    wrappedValue: Value, _ help: String, in range: ClosedRange<Double>
  ) where Value == Double {
    box = OptionBox(wrappedValue)
    self.help = help
    schema = .number(range)
  }
}

/// The value of an option. A reference, since reflection finds the options of a pass but can only copy them; it is written
/// only while the pass that it belongs to is being made.
private final class OptionBox<Value: Sendable>: Sendable {
  let value: Mutex<Value>

  init(_ value: Value) {
    self.value = Mutex(value)
  }
}

/// An option as the registry sees it.
public struct DeclaredOption: Sendable {
  /// Key in YAML.
  public let key: String
  /// What it means, in a sentence.
  public let help: String
  /// The values it takes.
  public let schema: OptionSchema
  /// The value now, as YAML.
  public let text: String
  /// True if it takes `null`.
  public let isOptional: Bool
  /// Name of the property that holds it, of a pass that is a Swift type.
  fileprivate let label: String

  fileprivate init(
    key: String, help: String, schema: OptionSchema, text: String, isOptional: Bool, label: String
  ) {
    self.isOptional = isOptional
    self.key = key
    self.help = help
    self.schema = schema
    self.text = text
    self.label = label
  }

  /// An option of a pass that a description made.
  package init(key: String, help: String, schema: OptionSchema, text: String) {
    self.init(key: key, help: help, schema: schema, text: text, isOptional: false, label: "")
  }

  /// The option with a schema that says more.
  package func taking(_ schema: OptionSchema) -> DeclaredOption {
    DeclaredOption(
      key: key, help: help, schema: schema, text: text, isOptional: isOptional, label: label)
  }

  /// Sets the option of a pass from what a user wrote.
  ///
  /// - Throws: `DiagnosticList` when the value is of the wrong kind or out of bounds; `pass` is then as it was.
  public func set<Owner: DeclaredPass>(_ value: OptionValue, of pass: inout Owner) throws {
    try pass.set(self, to: value)
  }
}

/// An option of a pass that has just been made and is not yet shared.
private protocol AnyPassOption {
  func declared(key: String, label: String) -> DeclaredOption
  func take(from other: any AnyPassOption)
  func assign(_ option: OptionValue) throws
}

extension PassOption: AnyPassOption {
  fileprivate func declared(key: String, label: String) -> DeclaredOption {
    DeclaredOption(
      key: key, help: help, schema: schema, text: wrappedValue.optionText,
      isOptional: Value.isOptional, label: label)
  }

  fileprivate func take(from other: any AnyPassOption) {
    guard let other = other as? PassOption<Value> else { return }
    let value = other.wrappedValue
    box.value.withLock { $0 = value }
  }

  fileprivate func assign(_ option: OptionValue) throws {
    let value = try Value(option: option)
    try checkBounds(value, option)
    box.value.withLock { $0 = value }
  }

  private func checkBounds(_ value: Value, _ option: OptionValue) throws {
    let fits =
      switch (schema, value) {
      case (.integer(let range), let number as Int): range.contains(number)
      case (.number(let range), let number as Double): range.contains(number)
      default: true
      }
    if !fits {
      throw DiagnosticList(
        option.span.error(
          "options.range", "expected \(schema.description), found \(option.summary)"))
    }
  }
}

/// The options of a pass with the names of their properties, in the order of their declaration.
private func properties(of pass: some Pass) -> [(label: String, option: any AnyPassOption)] {
  Mirror(reflecting: pass).children.compactMap { child in
    guard let label = child.label, let option = child.value as? any AnyPassOption else {
      return nil
    }
    return (label, option)
  }
}

extension Pass {
  public var options: [DeclaredOption] {
    properties(of: self).map { label, option in
      option.declared(key: snakeCase(label.drop { $0 == "_" }), label: label)
    }
  }

  public mutating func set(_ option: DeclaredOption, to value: OptionValue) throws {
    let changed = Self()
    for (old, new) in zip(properties(of: self), properties(of: changed)) {
      new.option.take(from: old.option)
      if new.label == option.label { try new.option.assign(value) }
    }
    self = changed
  }
}

/// `blockSize` becomes `block_size`.
private func snakeCase(_ name: Substring) -> String {
  name.reduce(into: "") { result, character in
    if character.isUppercase { result += "_" }
    result += character.lowercased()
  }
}
