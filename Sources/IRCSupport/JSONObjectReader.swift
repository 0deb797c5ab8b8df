/// Reads an object whose keys must all be known: remembers which were asked for and reports the others.
public final class JSONObjectReader {
  /// The object that is read.
  public let object: JSONObject
  private var asked: [String] = []
  private var known: Set<ByteKey> = []

  /// Starts on an object.
  ///
  /// - Throws: `Diagnostic` `json.wrong-type` when `value` is not an object.
  public init(_ value: JSONValue) throws {
    object = try value.object()
  }

  /// The value of a key that must be there.
  ///
  /// - Throws: `Diagnostic` `json.missing-key`.
  public func required(_ key: String) throws -> JSONValue {
    note(key)
    if let value = object[key] { return value }
    throw object.value.missing(key, in: object, known: known)
  }

  /// The value of a key that may be absent; null counts as absent.
  public func optional(_ key: String) -> JSONValue? {
    note(key)
    guard let value = object[key], !value.isNull else { return nil }
    return value
  }

  /// The keys that are there but do not matter.
  public func ignore(_ keys: [String]) {
    for key in keys { note(key) }
  }

  /// The members that nobody asked for, in source order.
  public var unread: [JSONObject.Member] {
    object.filter { !known.contains(ByteKey($0.key)) }
  }

  /// One `json.unknown-key` for each member that nobody asked for, with the nearest key that is known.
  ///
  /// Call it last: keys count as known once they were asked for.
  public func unknownKeys(severity: Diagnostic.Severity = .error) -> [Diagnostic] {
    let open = asked.filter { object[$0] == nil }
    return unread.map { member in
      member.diagnostic(
        "json.unknown-key", "the key '\(member.value.keyPath)' is not known",
        hint: nearestMatch(to: member.key, in: open).map { "did you mean '\($0)'?" },
        severity: severity)
    }
  }

  private func note(_ key: String) {
    if known.insert(ByteKey(key)).inserted { asked.append(key) }
  }
}
