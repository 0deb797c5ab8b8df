public import IRCCodegen
public import IRCSupport

/// A Swift type that an option can have.
public protocol PassOptionValue: Sendable {
  /// The values that it takes.
  static var schema: OptionSchema { get }

  /// Reads what a user wrote.
  ///
  /// - Throws: `DiagnosticList` with every problem at its place.
  init(option: OptionValue) throws

  /// True if `null` is a value.
  static var isOptional: Bool { get }

  /// The value as one would write it in YAML's flow style; reading it back gives the same value.
  var optionText: String { get }
}

extension PassOptionValue {
  public static var isOptional: Bool { false }
}

extension OptionValue {
  /// The error for a value of the wrong kind, or for none at all.
  public func mismatch(_ schema: OptionSchema) -> DiagnosticList {
    if isNull {
      return DiagnosticList(
        span.error("options.missing-value", "a value is missing: expected \(schema.description)"))
    }
    let near = text.flatMap { nearestMatch(to: $0, in: schema.words) }
    return DiagnosticList(
      span.error(
        "options.type", "expected \(schema.description), found \(summary)",
        hint: near.map { "did you mean '\($0)'?" }))
  }
}

extension Int: PassOptionValue {
  public static var schema: OptionSchema { .integer(.min ... .max) }
  public init(option: OptionValue) throws {
    guard let text = option.text, let value = Int(text) else { throw option.mismatch(Self.schema) }
    self = value
  }
  public var optionText: String { String(self) }
}

extension Double: PassOptionValue {
  public static var schema: OptionSchema { .number(-.infinity ... .infinity) }
  public init(option: OptionValue) throws {
    guard let text = option.text, let value = Double(text), value.isFinite else {
      throw option.mismatch(Self.schema)
    }
    self = value
  }
  public var optionText: String { description }
}

extension Bool: PassOptionValue {
  public static var schema: OptionSchema { .boolean }
  public init(option: OptionValue) throws {
    guard let text = option.text, let value = Bool(text) else { throw option.mismatch(Self.schema) }
    self = value
  }
  public var optionText: String { description }
}

extension String: PassOptionValue {
  public static var schema: OptionSchema { .text("text") }
  public init(option: OptionValue) throws {
    guard let text = option.text else { throw option.mismatch(Self.schema) }
    self = text
  }
  public var optionText: String { yamlScalar(self) }
}

extension NamePattern: PassOptionValue {
  public static var schema: OptionSchema { .text("a glob over tensor names") }
  public init(option: OptionValue) throws {
    guard let text = option.text, !text.isEmpty else { throw option.mismatch(Self.schema) }
    self.init(text)
  }
  public var optionText: String { yamlScalar(glob) }
}

extension Array: PassOptionValue where Element: PassOptionValue {
  public static var schema: OptionSchema { .list(Element.schema) }
  public init(option: OptionValue) throws {
    guard case .sequence(let items) = option.content else { throw option.mismatch(Self.schema) }
    var problems: [Diagnostic] = []
    self = items.compactMap { item in
      do { return try Element(option: item) } catch let list as DiagnosticList {
        problems += list.diagnostics
      } catch { problems.append(item.span.error("options.type", "\(error)")) }
      return nil
    }
    if !problems.isEmpty { throw DiagnosticList(problems) }
  }
  public var optionText: String { "[" + map(\.optionText).joined(separator: ", ") + "]" }
}

/// An option that may be absent, written `null`.
extension Optional: PassOptionValue where Wrapped: PassOptionValue {
  public static var schema: OptionSchema { Wrapped.schema }
  public static var isOptional: Bool { true }
  public init(option: OptionValue) throws {
    self = option.isNull ? nil : try Wrapped(option: option)
  }
  public var optionText: String { self?.optionText ?? "null" }
}

/// An option that takes one of a few words: the raw values of an enumeration.
public protocol PassOptionChoice: PassOptionValue, CaseIterable, RawRepresentable
where RawValue == String {}

extension PassOptionChoice {
  public static var schema: OptionSchema { .choice(allCases.map(\.rawValue)) }
  public init(option: OptionValue) throws {
    guard let text = option.text, let value = Self(rawValue: text) else {
      throw option.mismatch(Self.schema)
    }
    self = value
  }
  public var optionText: String { rawValue }
}

extension ThreadModel: PassOptionChoice {}

/// Text as a YAML scalar: plain where that is safe, else in double quotes.
func yamlScalar(_ text: String) -> String {
  if isPlainScalar(text) { return text }
  let escaped = text.unicodeScalars.map { scalar -> String in
    switch scalar.value {
    case 0x22: "\\\""
    case 0x5C: "\\\\"
    case 0x20...0x7E, 0xA1...0x2027, 0x202A...0xD7FF, 0xE000...0xFEFE, 0xFF00...0xFFFD,
      0x10000...0x10FFFF:
      String(scalar)
    default: "\\U" + hexadecimal(scalar.value, digits: 8)
    }
  }
  return "\"" + escaped.joined() + "\""
}

/// True if YAML reads these characters as the same text without quotes, wherever they stand.
private func isPlainScalar(_ text: String) -> Bool {
  guard let first = text.utf8.first, first != UInt8(ascii: "-"),
    !["null", "Null", "NULL", "...", "true", "false"].contains(text)
  else { return false }
  return text.utf8.allSatisfy { byte in
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
      UInt8(ascii: "."), UInt8(ascii: "/"):
      true
    default: false
    }
  }
}

private func hexadecimal(_ value: UInt32, digits: Int) -> String {
  let text = String(value, radix: 16)
  return String(repeating: "0", count: max(0, digits - text.count)) + text
}
