import IRCPassKit
import IRCSupport

/// An option of a pass that is described as JSON.
struct CPassOption: Sendable {
  /// What it takes, by the name that descriptions have for it.
  enum Kind: String, CaseIterable, Sendable {
    case integer, number, boolean, text, choice, patterns
  }

  /// What it has.
  enum Value: Sendable {
    case integer(Int)
    case number(Double)
    case boolean(Bool)
    case text(String)
    case patterns([NamePattern])

    /// As one would write it in YAML.
    var text: String {
      switch self {
      case .integer(let value): value.optionText
      case .number(let value): value.optionText
      case .boolean(let value): value.optionText
      case .text(let value): value.optionText
      case .patterns(let value): value.optionText
      }
    }
  }

  let key: String
  let help: String
  let kind: Kind
  let schema: OptionSchema
  /// The default.
  let standard: Value

  /// Keys of its description.
  private static let keys = [
    "key", "type", "help", "default", "minimum", "maximum", "choices",
  ]

  /// Reads a description.
  ///
  /// - Throws: `Diagnostic` with the place in the JSON.
  init(_ json: JSONValue) throws {
    try json.checkKeys(Self.keys)
    key = try json["key"].string()
    let isWord = key.utf8.allSatisfy {
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: "_")
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
    }
    guard isWord, key.first?.isLetter == true else {
      throw try json["key"].diagnostic(
        "plugin.description", "'\(key)' is no key of an option",
        hint: "keys are of small letters, digits and '_', a letter first")
    }
    help = try json["help"].string()
    let name = try json["type"].string(oneOf: Kind.allCases.map(\.rawValue))
    kind = Kind(rawValue: name) ?? .text
    let standard = try json["default"]
    let (lower, upper) = (try json.optional("minimum"), try json.optional("maximum"))
    if kind != .integer && kind != .number, let bound = lower ?? upper {
      throw bound.diagnostic(
        "plugin.description", "option '\(key)' of type '\(name)' cannot have bounds")
    }
    switch kind {
    case .integer:
      let range = (try lower?.int() ?? .min, try upper?.int() ?? .max)
      try Self.check(range, json)
      schema = .integer(range.0...range.1)
      self.standard = .integer(try standard.int(in: range.0...range.1))
    case .number:
      let range = (try lower?.double() ?? -.infinity, try upper?.double() ?? .infinity)
      try Self.check(range, json)
      schema = .number(range.0...range.1)
      self.standard = .number(try standard.double(in: range.0...range.1))
    case .boolean:
      schema = .boolean
      self.standard = .boolean(try standard.bool())
    case .text:
      schema = .text("text")
      self.standard = .text(try standard.string())
    case .choice:
      let words = try json["choices"].array().map { try $0.string() }
      schema = .choice(words)
      self.standard = .text(try standard.string(oneOf: words))
    case .patterns:
      schema = .list(.text("a glob"))
      self.standard = .patterns(try standard.array().map { NamePattern(try $0.string()) })
    }
  }

  private static func check<Bound: Comparable>(
    _ range: (Bound, Bound), _ json: JSONValue
  ) throws {
    // NaN is in no order, but JSON has none.
    if range.0 <= range.1 { return }
    throw json.diagnostic("plugin.description", "'minimum' is greater than 'maximum'")
  }

  /// Reads what a user wrote.
  ///
  /// - Throws: `DiagnosticList` when it is of the wrong kind or out of bounds.
  func read(_ value: OptionValue) throws -> Value {
    let problems = value.problems(with: schema)
    if !problems.isEmpty { throw DiagnosticList(problems) }
    switch kind {
    case .integer: return .integer(try Int(option: value))
    case .number: return .number(try Double(option: value))
    case .boolean: return .boolean(try Bool(option: value))
    case .text, .choice: return .text(try String(option: value))
    case .patterns: return .patterns(try [NamePattern](option: value))
    }
  }
}

extension JSONValue {
  /// Complains of a key of an object that it cannot have.
  ///
  /// - Throws: `Diagnostic` `plugin.description`.
  func checkKeys(_ keys: [String]) throws {
    for member in try object() where !keys.contains(member.key) {
      throw member.diagnostic(
        "plugin.description", "the key '\(member.key)' is not known",
        hint: nearestMatch(to: member.key, in: keys).map { "did you mean '\($0)'?" }
          ?? "known keys: \(keys.joined(separator: ", "))")
    }
  }

  /// The texts of a list that may be absent.
  func texts(_ key: String) throws -> [String] {
    try optional(key)?.array().map { try $0.string() } ?? []
  }
}
