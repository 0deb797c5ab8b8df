import IRCSupport
import Synchronization

/// Declares one option of a pass: its key in YAML is the property's name in snake_case.
///
///     @PassOption("Largest share of values that may be clipped.", in: 0...0.5)
///     public var clip = 0.0
///
/// The declaration feeds validation, help, JSON Schema and docs.
@propertyWrapper
public struct PassOption<Value: PassOptionValue>: Sendable {
  private let box: OptionBox<Value>
  private let help: String
  private let schema: OptionSchema

  public var wrappedValue: Value {
    get { box.value.withLock { $0 } }
    nonmutating set { box.value.withLock { $0 = newValue } }
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

  /// Declares an option with a default and bounds.
  public init(
    wrappedValue: Value, _ help: String, in range: ClosedRange<Double>
  ) where Value == Double {
    box = OptionBox(wrappedValue)
    self.help = help
    schema = .number(range)
  }
}

/// The current value, shared by the copies of one pass instance.
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
  fileprivate let assign: @Sendable (OptionValue) throws -> Void

  /// Sets the option from what a user wrote.
  ///
  /// - Throws: `DiagnosticList` when the value is of the wrong kind or out of bounds.
  public func set(_ value: OptionValue) throws { try assign(value) }
}

private protocol AnyPassOption {
  func declared(key: String) -> DeclaredOption
}

extension PassOption: AnyPassOption {
  fileprivate func declared(key: String) -> DeclaredOption {
    DeclaredOption(key: key, help: help, schema: schema, text: wrappedValue.optionText) { option in
      let value = try Value(option: option)
      try checkBounds(value, option)
      wrappedValue = value
    }
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

extension Pass {
  /// The options of this instance in the order of their declaration.
  public var options: [DeclaredOption] {
    Mirror(reflecting: self).children.compactMap { child in
      guard let label = child.label, let option = child.value as? any AnyPassOption else {
        return nil
      }
      return option.declared(key: snakeCase(label.drop { $0 == "_" }))
    }
  }
}

/// `blockSize` becomes `block_size`.
private func snakeCase(_ name: Substring) -> String {
  name.reduce(into: "") { result, character in
    if character.isUppercase { result += "_" }
    result += character.lowercased()
  }
}
