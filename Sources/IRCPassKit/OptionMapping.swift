public import IRCSupport

/// A mapping that was checked against the keys it may have, and each value against its kind.
public struct OptionMapping: Sendable {
  private let entries: [OptionValue.Entry]

  /// Checks a mapping.
  ///
  /// - Throws: `DiagnosticList` with every unknown, duplicate or missing key and every value of the wrong kind.
  public init(_ option: OptionValue, fields: [OptionSchema.Field]) throws {
    let problems = option.problems(with: .mapping(fields))
    if !problems.isEmpty { throw DiagnosticList(problems) }
    guard case .mapping(let entries) = option.content else {
      throw option.mismatch(.mapping(fields))
    }
    self.entries = entries
  }

  /// The value of a key, if it is present.
  public subscript(key: String) -> OptionValue? {
    entries.first { $0.key == key }?.value
  }

  /// The text of a key, if it is present and a scalar.
  public func text(_ key: String) -> String? { self[key]?.text }
}

extension OptionValue {
  /// Everything in which the value does not fit the schema, each at its place.
  ///
  /// `scheme` and `document` are checked by their own readers, since a name must be looked up first.
  public func problems(with schema: OptionSchema) -> [Diagnostic] {
    if isNull, schema != .anything { return mismatch(schema).diagnostics }
    switch schema {
    case .integer(let range):
      guard let text, let value = Int(text) else { return mismatch(schema).diagnostics }
      return range.contains(value) ? [] : [outOfRange(schema)]
    case .number(let range):
      guard let text, let value = Double(text), value.isFinite else {
        return mismatch(schema).diagnostics
      }
      return range.contains(value) ? [] : [outOfRange(schema)]
    case .boolean:
      return text.flatMap(Bool.init) == nil ? mismatch(schema).diagnostics : []
    case .text, .component:
      return text == nil ? mismatch(schema).diagnostics : []
    case .choice(let words):
      return text.map(words.contains) == true ? [] : mismatch(schema).diagnostics
    case .list(let element):
      guard case .sequence(let items) = content else { return mismatch(schema).diagnostics }
      return items.flatMap { $0.problems(with: element) }
    case .mapping(let fields):
      return mappingProblems(fields)
    case .either(let kinds):
      let attempts = kinds.map(problems(with:))
      if attempts.contains(where: \.isEmpty) { return [] }
      // A collection is meant to be the kind of collection that there is, so its errors are inside.
      if let index = kinds.firstIndex(where: isSameCollection) { return attempts[index] }
      return mismatch(schema).diagnostics
    case .scheme, .document, .anything:
      return []
    }
  }

  private func isSameCollection(_ schema: OptionSchema) -> Bool {
    switch (content, schema) {
    case (.mapping, .mapping), (.sequence, .list): true
    default: false
    }
  }

  private func outOfRange(_ schema: OptionSchema) -> Diagnostic {
    span.error("options.range", "expected \(schema.description), found \(summary)")
  }

  private func mappingProblems(_ fields: [OptionSchema.Field]) -> [Diagnostic] {
    guard case .mapping(let entries) = content else {
      return mismatch(.mapping(fields)).diagnostics
    }
    var problems: [Diagnostic] = []
    let names = fields.map(\.name)
    // A key that is misspelt is not missing as well.
    var meant = Set(entries.map(\.key))
    for entry in entries {
      guard let field = fields.first(where: { $0.name == entry.key }) else {
        let nearest = nearestMatch(to: entry.key, in: names)
        if let nearest { meant.insert(nearest) }
        let near = nearest.map { "did you mean '\($0)'?" }
        problems.append(
          entry.keySpan.error(
            "options.unknown-key", "unknown key '\(entry.key)'",
            hint: near ?? "known keys: \(names.joined(separator: ", "))"))
        continue
      }
      problems += entry.value.problems(with: field.schema)
    }
    for field in fields where field.isRequired && !meant.contains(field.name) {
      problems.append(
        span.error("options.missing-key", "key '\(field.name)' is missing", hint: field.help))
    }
    return problems
  }
}
