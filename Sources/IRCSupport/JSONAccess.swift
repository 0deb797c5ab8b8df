/// Reading values that must have a certain type: what does not fit is an error with key path and place.
extension JSONValue {
  /// The value of `key` of an object.
  ///
  /// - Throws: `Diagnostic` `json.missing-key` when absent, `json.wrong-type` when this is not an object.
  public subscript(key: String) -> JSONValue {
    get throws {
      let object = try object()
      if let value = object[key] { return value }
      throw missing(key, in: object)
    }
  }

  /// The value of `key` of an object, nil when it is absent or null.
  ///
  /// - Throws: `Diagnostic` `json.wrong-type` when this is not an object.
  public func optional(_ key: String) throws -> JSONValue? {
    guard let value = try object()[key], !value.isNull else { return nil }
    return value
  }

  /// The members.
  ///
  /// - Throws: `Diagnostic` `json.wrong-type`.
  public func object() throws -> JSONObject {
    guard case .object(let object) = content else { throw wrongType("an object") }
    return object
  }

  /// The elements.
  ///
  /// - Throws: `Diagnostic` `json.wrong-type`.
  public func array() throws -> JSONArray {
    guard case .array(let array) = content else { throw wrongType("an array") }
    return array
  }

  /// The text.
  ///
  /// - Throws: `Diagnostic` `json.wrong-type`.
  public func string() throws -> String {
    guard case .string(let text) = node.content else { throw wrongType("a string") }
    return text
  }

  /// The text, which must be one of `choices`.
  ///
  /// - Throws: `Diagnostic` `json.wrong-type`, or `json.unknown-value` with the nearest choice.
  public func string(oneOf choices: [String]) throws -> String {
    let text = try string()
    if choices.contains(text) { return text }
    throw diagnostic(
      "json.unknown-value", "\(name) is \(JSON.string(text).serialized()), which is not known",
      hint: nearestMatch(to: text, in: choices).map { "did you mean \"\($0)\"?" },
      notes: ["known values: \(choices.joined(separator: ", "))"])
  }

  /// The truth value.
  ///
  /// - Throws: `Diagnostic` `json.wrong-type`.
  public func bool() throws -> Bool {
    guard case .bool(let value) = node.content else { throw wrongType("true or false") }
    return value
  }

  /// The integer; `2.0` is not one.
  ///
  /// - Throws: `Diagnostic` `json.wrong-type`.
  public func int() throws -> Int {
    guard case .integer(let value) = node.content else { throw wrongType("an integer") }
    return value
  }

  /// The integer, which must lie in `range`.
  ///
  /// - Throws: `Diagnostic` `json.wrong-type` or `json.out-of-range`.
  public func int(in range: some RangeExpression<Int>) throws -> Int {
    let value = try int()
    if range.contains(value) { return value }
    throw outOfRange("\(value)", words(range))
  }

  /// The number; integers count too.
  ///
  /// - Throws: `Diagnostic` `json.wrong-type`.
  public func double() throws -> Double {
    switch node.content {
    case .integer(let value): return Double(value)
    case .real(let value): return value
    default: throw wrongType("a number")
    }
  }

  /// The number, which must lie in `range`; NaN lies in none.
  ///
  /// - Throws: `Diagnostic` `json.wrong-type` or `json.out-of-range`.
  public func double(in range: some RangeExpression<Double>) throws -> Double {
    let value = try double()
    if !value.isNaN, range.contains(value) { return value }
    throw outOfRange("\(value)", words(range))
  }

  /// - Parameter known: keys that are there and mean something of their own.
  func missing(
    _ key: String, in object: JSONObject, known: Set<ByteKey> = []
  ) -> Diagnostic {
    let path = JSONDocument.join(keyPath, key)
    let others = object.map(\.key).filter { !known.contains(ByteKey($0)) }
    return diagnostic(
      "json.missing-key", "the key '\(path)' is missing",
      hint: nearestMatch(to: key, in: others).map {
        "'\($0)' is there: did you mean it?"
      })
  }

  private func wrongType(_ expected: String) -> Diagnostic {
    diagnostic("json.wrong-type", "\(name) should be \(expected), not \(kind)")
  }

  private func outOfRange(_ value: String, _ range: String) -> Diagnostic {
    diagnostic("json.out-of-range", "\(name) is \(value), which is not \(range)")
  }
}

/// A range as the end of the sentence "which is not ...".
private func words<Bound>(_ range: some RangeExpression<Bound>) -> String {
  switch range {
  case let range as PartialRangeFrom<Bound>: "at least \(range.lowerBound)"
  case let range as PartialRangeThrough<Bound>: "at most \(range.upperBound)"
  case let range as PartialRangeUpTo<Bound>: "below \(range.upperBound)"
  case let range as ClosedRange<Bound>: "from \(range.lowerBound) to \(range.upperBound)"
  case let range as Range<Bound>: "at least \(range.lowerBound) and below \(range.upperBound)"
  default: "in \(range)"
  }
}
